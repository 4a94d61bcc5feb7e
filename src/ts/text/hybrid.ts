import type { QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { best, has, type Ranked } from './ranked.js'
import { nearest } from './vectors.js'
import type { Words } from './words.js'

/** Documents with the score by which they are ranked, and the two that it is made of. */
export interface Hybrid extends Ranked {
  vectorScores: Float64Array
  textScores: Float64Array
}

/** So many more than wanted are taken from the search by vector. More would cost more than they spare. */
const BESIDE = 32
/** At most so many documents are given their cosines before the limit is computed anew. */
const AT_ONCE = 512
/** The constant of the sum of ranks, from the paper of Cormack, Clarke and Büttcher (2009). */
const RANKS = 60

/**
 * The exact `most` best by `(1 - a) * max(0, cosine) + a * BM25 / ceiling`. The search by vector gives its best, and with
 * them a limit for the cosines of all others. Of those, only the documents whose words can lift them to the last of the
 * best are given their cosines.
 */
export async function byWeights(
  host: TextHost,
  args: QueryArgs,
  words: Words,
  share: number,
  most: number,
  among: Uint16Array | undefined,
  signal: AbortSignal | undefined,
): Promise<Hybrid> {
  const vector = args.vector!
  const found = words.all()
  const { ceiling } = words.question
  const text = new Map<number, number>()
  const part = (doc: number) => (share * (text.get(doc) ?? 0)) / ceiling
  for (let i = 0; i < found.docs.length; i++)
    if (!among || has(among, found.docs[i])) text.set(found.docs[i], found.scores[i])
  const byText = [...text.keys()].sort((a, b) => text.get(b)! - text.get(a)!)

  for (let wanted = most + BESIDE; ; wanted *= 4) {
    const near = await nearest(host, args, vector, wanted, signal)
    const cosines = new Map<number, number>()
    const add = ({ docs, scores }: Ranked) => docs.forEach((doc, i) => cosines.set(doc, scores[i]))
    const score = (doc: number) => (1 - share) * Math.max(0, cosines.get(doc)!) + part(doc)
    add(near)
    const complete = near.docs.length < wanted
    // No other document has a higher cosine.
    const rest = complete ? 0 : (1 - share) * Math.max(0, near.scores[near.scores.length - 1])
    let limit = lastOf(cosines.keys(), score, most)
    const others = complete ? [] : byText.filter((doc) => !cosines.has(doc))
    for (let at = 0, count = BESIDE; at < others.length; count = AT_ONCE) {
      const some: number[] = []
      // They come in the order of their words' scores, so none behind the first that cannot reach the limit can.
      for (; at < others.length && some.length < count && !(part(others[at]) + rest < limit); at++)
        some.push(others[at])
      if (some.length === 0) break
      add(await nearest(host, args, vector, some.length, signal, Uint32Array.from(some)))
      limit = lastOf(cosines.keys(), score, most)
    }
    if (!complete && !(limit > rest)) continue
    const docs = Uint32Array.from(cosines.keys())
    const top = best(host, { docs, scores: Float64Array.from(docs, score) }, most)
    return {
      ...top,
      vectorScores: Float64Array.from(top.docs, (doc) => cosines.get(doc)!),
      textScores: Float64Array.from(top.docs, (doc) => text.get(doc) ?? 0),
    }
  }
}

/** The score of the last of the `most` best, or -Infinity if there are fewer. */
function lastOf(docs: Iterable<number>, score: (doc: number) => number, most: number): number {
  const scores = Float64Array.from(docs, score).sort()
  return scores.length < most ? -Infinity : scores[scores.length - most]
}

/** The sum of `1 / (60 + rank)` over two full rankings: each document of the question has its rank in both. */
export async function byRanks(
  host: TextHost,
  args: QueryArgs,
  words: Words,
  most: number,
  among: Uint16Array | undefined,
  signal: AbortSignal | undefined,
): Promise<Hybrid> {
  const near = await nearest(host, args, args.vector!, 0xffffffff, signal)
  const all = words.all()
  const kept = among
    ? all.docs.map((doc, i) => (has(among, doc) ? i : 0xffffffff)).filter((i) => i !== 0xffffffff)
    : undefined
  const found = kept
    ? { docs: kept.map((i) => all.docs[i]), scores: Float64Array.from(kept, (i) => all.scores[i]) }
    : all
  const ranked = best(host, found, found.docs.length)
  const sums = new Map<number, number>()
  const cosines = new Map<number, number>()
  const text = new Map<number, number>()
  near.docs.forEach((doc, i) => {
    sums.set(doc, 1 / (RANKS + i + 1))
    cosines.set(doc, near.scores[i])
  })
  ranked.docs.forEach((doc, i) => {
    sums.set(doc, (sums.get(doc) ?? 0) + 1 / (RANKS + i + 1))
    text.set(doc, ranked.scores[i])
  })
  const docs = Uint32Array.from(sums.keys())
  const top = best(host, { docs, scores: Float64Array.from(docs, (doc) => sums.get(doc)!) }, most)
  return {
    ...top,
    vectorScores: Float64Array.from(top.docs, (doc) => cosines.get(doc) ?? 0),
    textScores: Float64Array.from(top.docs, (doc) => text.get(doc) ?? 0),
  }
}
