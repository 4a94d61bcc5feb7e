import { nameOf, RANKS, type QueryArgs } from '../contract/query.js'
import { NidusError } from '../errors/errors.js'
import type { Hit } from '../types/index.js'
import { byName, byScore, grouped, once } from './merge.js'
import type { At, Requests } from './requests.js'

/** The most records that are ranked. All their names come to the caller, who has 128 MB. */
const MOST_RANKED = 100_000

/**
 * Returns the hits of a search by the sums of ranks. A rank depends on all records of all shards. So first all of them
 * come with their scores alone, and then those that are returned with all that was asked for.
 */
export async function byRanks(requests: Requests, at: At, args: QueryArgs): Promise<Hit[]> {
  const { groupBy, offset, topK, minScore } = args
  const answers = await requests.founds(at, {
    ...args,
    topK: MOST_RANKED + 1,
    offset: 0,
    attrs: groupBy ? [groupBy.key] : [],
    groupBy: undefined,
    highlight: undefined,
    withVectors: false,
    minScore: NaN,
  })
  const { all } = once(answers.map(({ hits }) => hits))
  if (all.length > MOST_RANKED)
    throw new NidusError(
      'CAPACITY',
      `fusion: 'rrf' ranks all records, and here are more than ${MOST_RANKED}: use weights, or a filter`,
    )
  for (const hit of all) hit.score = 0
  const rank = (hits: Hit[], score: (hit: Hit) => number) =>
    hits
      .sort((a, b) => score(b) - score(a) || byName(a, b))
      .forEach((hit, i) => {
        hit.score += 1 / (RANKS + i + 1)
      })
  rank([...all], ({ vectorScore }) => vectorScore!)
  rank(
    all.filter(({ textScore }) => textScore! > 0),
    ({ textScore }) => textScore!,
  )
  all.sort(byScore)
  const end = Number.isNaN(minScore) ? -1 : all.findIndex(({ score }) => score < minScore)
  const ranking = end < 0 ? all : all.slice(0, end)
  if (!groupBy) return complete(requests, at, args, ranking.slice(offset, offset + topK))
  const groupOf = ({ attrs }: Hit) => (Object.hasOwn(attrs, groupBy.key) ? attrs[groupBy.key] : undefined)
  const groups = [...grouped(ranking, groupBy.size, groupOf).values()].slice(offset, offset + topK)
  for (const hit of groups.flat()) hit.group = groupOf(hit)
  return complete(requests, at, args, groups.flat())
}

/** Adds all that was asked for. A record that was deleted meanwhile is no hit any more. */
async function complete(requests: Requests, at: At, args: QueryArgs, hits: Hit[]): Promise<Hit[]> {
  if (hits.length === 0) return hits
  const only = hits.map(({ collection, id }) => ({ collection, id }))
  const answers = await requests.founds(at, { ...args, only, groupBy: undefined, offset: 0, topK: only.length })
  const found = new Map(once(answers.map(({ hits }) => hits)).all.map((hit) => [nameOf(hit), hit]))
  return hits.flatMap(({ attrs: _, ...hit }) => {
    const rest = found.get(nameOf(hit))
    return rest ? { ...rest, ...hit } : []
  })
}
