import type { Question } from '../live/ask.js'
import type { Checked } from '../live/options.js'
import { keyOf } from '../live/same.js'
import { Search, type Answered } from '../live/search.js'
import type { Searchable } from '../types/live.js'

/** How long the answer for a suspended component is kept. */
const HOLD = 5000

/**
 * The first search of a component that is suspended. React forgets a component that was never shown, with its state, so
 * the search is kept here until the component comes back.
 */
interface Held {
  over: Promise<void>
  answered: () => Answered
  stop: () => void
}
const held = new WeakMap<Searchable, Map<string, Held>>()

export function hold(source: Searchable, question: Question, options: Checked): Held {
  let all = held.get(source)
  if (!all) held.set(source, (all = new Map()))
  const key = `${keyOf(question)} ${keyOf(options.asked)}`
  const there = all.get(key)
  if (there) return there
  const search = new Search(source, options)
  search.next(question, options)
  let settled!: () => void
  const over = new Promise<void>((resolve) => (settled = resolve))
  const unlisten = search.listen(() => {
    if (search.answered().asked === undefined) return
    settled()
    setTimeout(stop, HOLD)
  })
  const stop = () => {
    unlisten()
    if (all.get(key) === made) all.delete(key)
  }
  const made: Held = { over, answered: search.answered, stop }
  all.set(key, made)
  return made
}
