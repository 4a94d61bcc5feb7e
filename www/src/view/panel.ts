import * as format from '../format'
import type { Facts } from '../stores/finder'
import { element, plural, setText } from './dom'

const STORAGE: Record<string, string> = { opfs: 'OPFS', indexeddb: 'IndexedDB', memory: 'memory only' }

export interface Times {
  engine: number
  message: number
  /** Undefined if the question needed no model, 0 if it was embedded before. */
  model: number | undefined
}

export const panel = {
  facts(facts: Facts | undefined, files: number | undefined) {
    const say = (id: string, text: string | undefined) => setText(element(id), text ?? '–')
    say('fact-files', files === undefined ? undefined : format.count(files))
    say('fact-documents', facts && format.count(facts.docCount))
    say('fact-rows', facts && `${format.count(facts.rows)}, ${format.count(facts.deadRows)} dead`)
    say('fact-bytes', facts && format.bytes(facts.diskBytes))
    say('fact-storage', facts && (STORAGE[facts.storage] ?? facts.storage))
    const { state, usage, quota } = facts?.persistence ?? {}
    say('fact-kept', state && { persistent: 'promised', 'best-effort': 'best effort', unknown: 'not known' }[state])
    say('fact-quota', quota === undefined ? undefined : `${format.bytes(usage ?? 0)} of ${format.bytes(quota)}`)
  },

  embedded({ documents, queries }: { documents: number; queries: number }) {
    const fact = element('fact-embedded')
    fact.dataset.documents = String(documents)
    fact.dataset.queries = String(queries)
    setText(fact, `${plural(documents, 'passage')}, ${plural(queries, 'question')}`)
  },

  /** Shows how long the parts of a search took. Undefined: there was none. */
  times(times: Times | undefined) {
    const say = (id: string, text: string) => setText(element(id), text)
    say('time-engine', times ? (times.engine < 0.1 ? '< 0.1 ms' : format.milliseconds(times.engine)) : '–')
    say('time-message', times ? format.milliseconds(times.message) : '–')
    const { model } = times ?? {}
    say('time-model', model === undefined ? '–' : model === 0 ? 'known' : format.milliseconds(model))
  },
}
