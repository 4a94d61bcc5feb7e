import * as format from '../format'
import type { Outcome, Progress } from '../indexer'
import type { Words } from '../words'
import { button, element, make, plural, setText } from './dom'

type Phase = 'opening' | 'filling' | 'waiting' | 'loading-model' | 'indexing' | 'ready' | 'empty' | 'stopped' | 'failed'

const progress = element<HTMLProgressElement>('progress')
let announcedQuarter = 0

export const status = {
  phase(phase: Phase, text: string, fraction?: number) {
    if (element('status').dataset.phase !== phase) this.announce(text)
    element('status').dataset.phase = phase
    setText(element('status-text'), text)
    if (fraction === undefined) progress.removeAttribute('value')
    else progress.value = fraction
    const busy = phase === 'indexing' || phase === 'waiting' || phase === 'loading-model'
    element('cancel').hidden = !busy
    element('resume').hidden = phase !== 'stopped'
    for (const id of ['compact', 'export', 'delete'])
      element<HTMLButtonElement>(id).disabled = phase === 'opening' || phase === 'failed' || busy
    element<HTMLButtonElement>('import').disabled = busy
  },

  indexing({ files, ofFiles, fraction, passagesPerSecond, secondsLeft }: Progress) {
    const parts = [`Indexing: ${format.count(files)} of ${plural(ofFiles, 'file')}`]
    if (passagesPerSecond > 0)
      parts.push(`${passagesPerSecond.toFixed(passagesPerSecond < 10 ? 1 : 0)} passages a second`)
    if (secondsLeft !== undefined) parts.push(format.duration(secondsLeft))
    this.phase('indexing', parts.join(' · '), fraction)
    // Each quarter is announced to screen readers, and not each file.
    const quarter = Math.floor(fraction * 4)
    if (quarter !== announcedQuarter && quarter > 0 && quarter < 4)
      this.announce(`Indexing, ${quarter * 25} percent done`)
    announcedQuarter = quarter
  },

  outcome({ indexed, unchanged, unreadable }: Outcome, others: number) {
    const parts = [`${plural(indexed, 'file')} indexed`]
    if (unchanged) parts.push(`${format.count(unchanged)} unchanged`)
    if (unreadable.length) parts.push(`${format.count(unreadable.length)} not readable`)
    if (others) parts.push(`${format.count(others)} skipped (other kinds of files)`)
    this.announce(parts.join(', '))
    const box = element('outcome')
    box.hidden = false
    const list = unreadable.slice(0, 20).map(({ path, reason }) => make('li', '', `${path}: ${reason}`))
    box.replaceChildren(make('p', '', `${parts.join(', ')}.`), ...(list.length ? [make('ul', '', ...list)] : []))
  },

  /** Says something beside the state, while no work is under way. */
  beside(text: string) {
    setText(element('beside'), text)
  },

  announce(text: string) {
    setText(element('announce'), text)
  },

  timing(text: string) {
    setText(element('timing'), text)
  },

  notice(words: (Words & { detail?: string }) | undefined, acts: Record<string, [label: string, act: () => void]>) {
    const box = element('notice')
    box.hidden = !words
    if (!words) return
    const buttons = words.actions.flatMap((action) => (acts[action] ? [button(...acts[action])] : []))
    box.replaceChildren(
      make('h3', '', words.title),
      make('p', '', words.text),
      ...(words.detail ? [make('p', 'detail', words.detail)] : []),
      make('div', 'actions', ...buttons),
    )
  },
}
