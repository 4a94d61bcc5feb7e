import type { Condition, QueryArgs } from '../contract/query.js'
import { NidusError, invalid } from '../errors/errors.js'
import { explained } from '../question/explain.js'
import { compareValues } from '../text/values.js'
import type { Attrs, AttrValue, FacetCount, Hit, Hits } from '../types/index.js'
import { byName, keyOf, merge, mergeGroups } from './merge.js'
import { byRanks } from './ranks.js'
import type { Found } from './protocol.js'
import type { At, Requests } from './requests.js'
import { isStill, pause, summed } from './statistics.js'

/** The greatest number of hits that a shard is asked for. */
const ALL = 0xffffffff
/** The most values of a facet in one shard. */
const MOST_VALUES = 65_536
/** The number of attempts to count while no record is being moved. */
const TRIES = 100

/**
 * Answers a question exactly as one store does. First each shard counts what the scores depend on. Then each shard
 * answers with the sums of all counts.
 */
export async function answer(requests: Requests, at: At, asked: QueryArgs): Promise<Hits<Hit>> {
  const statistics = asked.text === undefined ? undefined : await summed(requests, at, asked)
  const args = { ...asked, statistics }
  const { facets, explain } = args
  const hits: Hits<Hit> = await ranked(requests, at, { ...args, facets: undefined, explain: undefined })
  if (facets || explain) {
    const answers = await counted(requests, at, args)
    if (facets) hits.facets = facetsOf(answers, facets)
    if (explain) hits.explain = explanation(answers, explain)
  }
  return hits
}

/** Returns the ranked hits from `offset` on. */
async function ranked(requests: Requests, at: At, args: QueryArgs): Promise<Hit[]> {
  const most = Math.min(args.offset + args.topK, ALL)
  const { groupBy, offset, vector, fusion, statistics } = args
  if (args.topK === 0) return []
  if (vector && fusion === 'rrf' && typeof statistics === 'object' && statistics.fields.length > 0)
    return byRanks(requests, at, args)
  const ask = async (topK: number, size: number) =>
    (await requests.founds(at, { ...args, offset: 0, topK, groupBy: groupBy && { key: groupBy.key, size } })).map(
      ({ hits }) => hits,
    )
  // While a hit may be missing, longer lists are asked for.
  for (let times = 1; ; times *= 2) {
    const asked = Math.min(most * times, ALL)
    if (!groupBy) {
      const hits = merge(await ask(asked, 1), most, asked)
      if (hits) return hits.slice(offset)
    } else {
      const size = groupBy.size * times
      const groups = mergeGroups(await ask(asked, size), { most, size: groupBy.size }, { most: asked, size })
      if (groups) return groups.slice(offset).flat()
    }
  }
}

/** Asks all shards for what they count, at a moment at which no record is in two of them. */
async function counted(requests: Requests, at: At, args: QueryArgs): Promise<Found[]> {
  const facets = args.facets && Object.fromEntries(Object.keys(args.facets).map((key) => [key, MOST_VALUES + 1]))
  // A question for no hits may still count its matches and facets.
  const only: QueryArgs = { ...args, facets, topK: 0, offset: 0, groupBy: undefined, highlight: undefined }
  for (let tries = 1; ; tries++) {
    const answers = await requests.founds(at, only)
    if (await isStill(requests, at, answers)) return answers
    if (tries === TRIES) throw new NidusError('BUSY', 'records moved between shards during every try: try again later')
    await pause()
  }
}

const facetsOf = (answers: Found[], wanted: { [key: string]: number }) =>
  Object.fromEntries(
    Object.entries(wanted).map(([key, limit]) => [
      key,
      sum(
        key,
        answers.map(({ facets }) => facets![key]),
        limit,
      ),
    ]),
  )

/** Adds the counts of all shards. */
const explanation = (answers: Found[], conditions: Condition[]) =>
  explained(
    conditions.map((condition, i) => ({
      ...condition,
      counts: answers.map(({ explain }) => explain![i].counts).reduce((a, b) => a.map((n, type) => n + b[type])),
    })),
  )

function sum(key: string, all: [value: unknown, count: number][][], limit: number): FacetCount[] {
  const counts = new Map<string, FacetCount>()
  all.forEach((values) => {
    if (values.length > MOST_VALUES)
      throw invalid(`facets: ${JSON.stringify(key)} has more than ${MOST_VALUES} values in one shard; use a filter`)
    for (const [value, count] of values) {
      const known = counts.get(keyOf(value))
      if (known) known.count += count
      else counts.set(keyOf(value), { value: value as AttrValue, count })
    }
  })
  return [...counts.values()].sort((a, b) => b.count - a.count || compareValues(a.value, b.value)).slice(0, limit)
}

/** Lists records in the order of their attributes and then of their ids. */
export async function listed(
  requests: Requests,
  at: At,
  args: QueryArgs & { orderBy: NonNullable<QueryArgs['orderBy']> },
): Promise<Hits<Hit>> {
  const { explain, ...rest } = args
  const hits: Hits<Hit> = await ordered(requests, at, rest)
  if (explain) hits.explain = explanation(await counted(requests, at, args), explain)
  return hits
}

async function ordered(
  requests: Requests,
  at: At,
  args: QueryArgs & { orderBy: NonNullable<QueryArgs['orderBy']> },
): Promise<Hit[]> {
  const { orderBy, offset, attrs } = args
  const most = Math.min(offset + args.topK, ALL)
  if (args.topK === 0) return []
  const needed = attrs && [...new Set([...attrs, ...orderBy.map(({ key }) => key)])]
  const valueOf = ({ attrs }: Hit, key: string) => (Object.hasOwn(attrs, key) ? attrs[key] : undefined)
  const order = (a: Hit, b: Hit) => {
    for (const { key, descending } of orderBy) {
      const [x, y] = [valueOf(a, key), valueOf(b, key)]
      // Records without the value come last, in either direction.
      if (x === undefined || y === undefined) {
        if (x !== y) return x === undefined ? 1 : -1
        continue
      }
      const compared = compareValues(x, y)
      if (compared !== 0) return descending ? -compared : compared
    }
    return byName(a, b)
  }
  for (let asked = most; ; asked = Math.min(asked * 2, ALL)) {
    const answers = await requests.founds(at, { ...args, offset: 0, topK: asked, attrs: needed })
    const hits = merge(
      answers.map(({ hits }) => hits),
      most,
      asked,
      order,
    )
    if (hits) return hits.slice(offset).map((hit) => (attrs ? { ...hit, attrs: picked(hit.attrs, attrs) } : hit))
  }
}

const picked = (attrs: Attrs, keys: string[]): Attrs =>
  Object.fromEntries(Object.entries(attrs).filter(([key]) => keys.includes(key)))
