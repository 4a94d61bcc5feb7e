import { checkFields } from '../arguments/fields.js'
import type { OwnStatistics, QueryArgs, TextStatistics } from '../contract/query.js'
import { NidusError } from '../errors/errors.js'
import type { Layout } from './layout.js'
import { range } from './layout.js'
import type { Still } from './protocol.js'
import type { At, Requests } from './requests.js'

const PAUSE_MS = 20
/** The number of attempts to ask while all shards have the same settings. */
const TRIES = 100
/** The number of attempts to ask while no record is being moved. */
const QUIET_TRIES = 10

export const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS))

/** Returns whether no record has moved since the old shards answered. A store that does not grow is not asked. */
export async function isStill(requests: Requests, at: At, answers: Partial<Still>[]): Promise<boolean> {
  const { from, to }: Layout = at.layout
  if (from === to) return true
  // The count of one collection is the cheapest call that tells this.
  const again = await requests.all(range(0, from), (index) => requests.ask(at, index, 'count', ''))
  return again.every(({ moved }, i) => moved % 2 === 0 && moved === answers[i].moved)
}

/**
 * Returns the sums of the statistics of all shards. Throws as a search in one store does if there are no settings, or
 * none with a field of the question.
 */
export async function summed(requests: Requests, at: At, args: QueryArgs): Promise<TextStatistics> {
  for (let tries = 1; ; tries++) {
    const answers = (await requests.phases(at.layout, (index) => requests.ask(at, index, 'statistics', args))).flat()
    const all = answers.map(({ statistics }) => statistics)
    if (all.every(({ settings }) => settings === all[0].settings)) {
      if (tries >= QUIET_TRIES || (await isStill(requests, at, answers))) return sum(all, args)
    } else if (tries >= TRIES)
      throw new NidusError('BUSY', 'the text settings are being changed: some shards have others than the rest')
    await pause()
  }
}

function sum(all: OwnStatistics[], args: QueryArgs): TextStatistics {
  const sums = new Map<string, Float64Array>()
  let documents = 0
  for (const own of all) {
    documents += own.documents
    for (const [name, numbers] of own.fields) {
      const known = sums.get(name)
      if (!known) sums.set(name, numbers.slice())
      // The first number is the field's weight, which is the same in all shards.
      else for (let i = 1; i < numbers.length; i++) known[i] += numbers[i]
    }
  }
  if (all[0].known) checkFields(all[0].known, args)
  return { documents, fields: [...sums] }
}
