import * as format from '../format'
import type { Facts } from '../library'
import { element, plural, setText } from './dom'

const STORAGE: Record<string, string> = { opfs: 'OPFS', indexeddb: 'IndexedDB', memory: 'memory only' }
const SHOWN = 40

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
    setText(fact, `${plural(documents, 'passage')}, ${plural(queries, 'query', 'queries')}`)
  },

  /**
   * Draws the times of the last searches as bars. These are the times in the store, without those of the language
   * model.
   */
  times(times: number[]) {
    const shown = times.slice(-SHOWN)
    setText(
      element('fact-median'),
      shown.length
        ? `${format.milliseconds(format.median(shown))} (${format.milliseconds(shown.at(-1)!)} the last)`
        : '–',
    )
    const most = Math.max(...shown, 1)
    const bars = shown.map((time, n) => {
      const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
      const height = Math.max(1, (time / most) * 40)
      for (const [name, value] of Object.entries({ x: n * 5, y: 40 - height, width: 4, height }))
        bar.setAttribute(name, String(value))
      return bar
    })
    element('chart').replaceChildren(...bars)
    element('chart').setAttribute(
      'aria-label',
      shown.length ? `The last ${shown.length} searches, at most ${format.milliseconds(most)}` : 'No searches yet',
    )
  },
}
