import { RANKS, type QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { best, setOf, type Ranked } from './ranked.js'
import { nearest } from './vectors.js'
import type { Words } from './words.js'

/** Documents with the score by which they are ranked, and with the two scores from which it is made. */
export interface Hybrid extends Ranked {
  vectorScores: Float64Array
  textScores: Float64Array
}

/**
 * The number of documents that the searches by vector and by words find beyond those that are wanted. Finding more
 * would take more time than it saves.
 */
const NEAR = 8
const WORDS = 32

/**
 * Returns the exact `most` best documents by `(1 - a) * max(0, cosine) + a * BM25 / ceiling`. The ceiling is the
 * highest score that any document could have for the words. The search by vector and the search by words return their
 * best documents. Let v and w be what the lowest of each adds to a score. A document that neither returned scores at
 * most v + w. If that is below the last of the `most` best, the best are complete.
 */
export async function byWeights(
  host: TextHost,
  args: QueryArgs,
  words: Words,
  share: number,
  most: number,
  /** The set of the documents that count. `only` is undefined if they are simply all that match the filter. */
  { among, only }: { among: Uint16Array | undefined; only: Uint16Array | undefined },
  signal: AbortSignal | undefined,
): Promise<Hybrid> {
  const vector = args.vector!
  const { ceiling } = words.question
  const ofWords = (score: number) => (share * score) / ceiling
  // Both by document. A document without any of the words has no score in `texts`.
  const cosines = new Map<number, number>()
  const texts = new Map<number, number>()
  const add = (to: Map<number, number>, { docs, scores }: Ranked) => docs.forEach((doc, i) => to.set(doc, scores[i]))
  const textScore = (doc: number) => texts.get(doc) ?? 0
  const score = (doc: number) => (1 - share) * Math.max(0, cosines.get(doc)!) + ofWords(textScore(doc))

  for (let wanted = most + NEAR; ; wanted *= 4) {
    const near = await nearest(host, args, vector, wanted, signal, only)
    add(cosines, near)
    if (near.docs.length > 0) add(texts, words.best(near.docs.length, setOf(near.docs)))
    const complete = near.docs.length < wanted
    // No other document has a higher cosine.
    const rest = complete ? 0 : (1 - share) * Math.max(0, near.scores[near.scores.length - 1])
    let limit = lastOf(cosines.keys(), score, most)
    for (let count = most + WORDS; !complete; count *= 4) {
      const first = words.best(count, among)
      add(texts, first)
      const others = first.docs.filter((doc, i) => !cosines.has(doc) && !(ofWords(first.scores[i]) + rest < limit))
      if (others.length > 0) {
        add(cosines, await nearest(host, args, vector, others.length, signal, setOf(others)))
        limit = lastOf(cosines.keys(), score, most)
      }
      if (first.docs.length < count || ofWords(first.scores[first.scores.length - 1]) + rest < limit) break
    }
    if (!complete && !(limit > rest)) continue
    const docs = Uint32Array.from(cosines.keys())
    const top = best(host, { docs, scores: Float64Array.from(docs, score) }, most)
    return {
      ...top,
      vectorScores: Float64Array.from(top.docs, (doc) => cosines.get(doc)!),
      textScores: Float64Array.from(top.docs, textScore),
    }
  }
}

/** Returns the score of the last of the `most` best, or -Infinity if there are fewer. */
function lastOf(docs: Iterable<number>, score: (doc: number) => number, most: number): number {
  const scores = Float64Array.from(docs, score).sort()
  return scores.length < most ? -Infinity : scores[scores.length - most]
}

/** Ranks by the sum of `1 / (60 + rank)` over two complete rankings: by vector and by words. */
export async function byRanks(
  host: TextHost,
  args: QueryArgs,
  words: Words,
  most: number,
  among: Uint16Array | undefined,
  signal: AbortSignal | undefined,
): Promise<Hybrid> {
  const near = await nearest(host, args, args.vector!, 0xffffffff, signal)
  const found = words.all(among)
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
