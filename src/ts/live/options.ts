import { QUESTION, type KeysOf, type Known } from '../arguments/keys.js'
import { checkOptions } from '../arguments/options.js'
import { describe } from '../core/wire.js'
import { invalid } from '../errors/errors.js'
import { SEARCH } from '../text-index/keys.js'
import type { LiveOptions } from '../types/live.js'
import { copyOf } from './same.js'

const LIVE = { debounce: 1, refresh: 1, embed: 1, by: 1, wordsFirst: 1 } satisfies KeysOf<LiveOptions>
const BY = ['hybrid', 'words', 'meaning']

/** What the source's `search` takes. The signal and `onWords` are given by the live search. */
export const { signal: _, onWords: __, ...KNOWN } = { ...QUESTION, ...SEARCH, ...LIVE }
type Given = { [key in keyof typeof KNOWN]?: unknown } & LiveOptions

/** The options of a live search: its own ones, and those for the source. */
export interface Checked {
  own: Omit<LiveOptions, 'by'>
  /** `by`, and what goes to `search`. */
  asked: { by?: LiveOptions['by']; [option: string]: unknown }
}

const isTime = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1

/** Checks the options. Those for the source are checked by its `search`, which alone knows what it takes. */
export function checkLive(options: object | undefined, place: string, known: Known = KNOWN): Checked {
  const given = checkOptions(options as Given, known as typeof KNOWN, place) as Given
  const { debounce, refresh, embed, wordsFirst, ...asked } = given
  const time = 'a number of milliseconds from 0 to 2147483647'
  if (debounce !== undefined && !isTime(debounce))
    throw invalid(`${place}: debounce is ${time}, not ${describe(debounce)}`)
  if (refresh !== undefined && refresh !== false && !isTime(refresh))
    throw invalid(`${place}: refresh is false or ${time}, not ${describe(refresh)}`)
  if (embed !== undefined && typeof embed !== 'function')
    throw invalid(`${place}: embed is a function that returns the vector of a text, not ${describe(embed)}`)
  if (wordsFirst !== undefined && typeof wordsFirst !== 'boolean')
    throw invalid(`${place}: wordsFirst is true or false, not ${describe(wordsFirst)}`)
  if (asked.by !== undefined && !BY.includes(asked.by))
    throw invalid(`${place}: by is ${BY.map(describe).join(' or ')}, not ${describe(asked.by)}`)
  for (const key of Object.keys(asked) as (keyof typeof asked)[]) if (asked[key] === undefined) delete asked[key]
  return { own: { debounce, refresh, embed, wordsFirst }, asked: copyOf(asked) }
}
