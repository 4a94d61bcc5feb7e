import type { QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { best, type Ranked } from './ranked.js'
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
  /** The documents that count, and the same as numbers if they are not just those that the filter matches. */
  { set: among, only }: { set: Uint16Array | undefined; only: Uint32Array | undefined },
  signal: AbortSignal | undefined,
): Promise<Hybrid> {
  const vector = args.vector!
  const { ceiling } = words.question
  const found = words.all(among)
  // By document.
  const text = new Float64Array(found.docs.reduce((end, doc) => Math.max(end, doc + 1), 0))
  for (let i = 0; i < found.docs.length; i++) text[found.docs[i]] = found.scores[i]
  const textOf = (doc: number) => text[doc] ?? 0
  const part = (doc: number) => (share * textOf(doc)) / ceiling
  const first = words.best(most + BESIDE, among).docs

  for (let wanted = most + BESIDE; ; wanted *= 4) {
    const near = await nearest(host, args, vector, wanted, signal, only)
    const cosines = new Map<number, number>()
    const add = ({ docs, scores }: Ranked) => docs.forEach((doc, i) => cosines.set(doc, scores[i]))
    const score = (doc: number) => (1 - share) * Math.max(0, cosines.get(doc)!) + part(doc)
    const cosinesOf = async (docs: Uint32Array) => {
      if (docs.length > 0) add(await nearest(host, args, vector, docs.length, signal, docs))
      return lastOf(cosines.keys(), score, most)
    }
    add(near)
    const complete = near.docs.length < wanted
    // No other document has a higher cosine.
    const rest = complete ? 0 : (1 - share) * Math.max(0, near.scores[near.scores.length - 1])
    let limit = -Infinity
    if (!complete) {
      // The best by their words raise the limit, so that few of all others can reach it.
      limit = await cosinesOf(first.filter((doc) => !cosines.has(doc)))
      const others = reaching(found.docs, (doc) => part(doc) + rest, limit).filter((doc) => !cosines.has(doc))
      for (let at = 0; at < others.length; at += AT_ONCE) {
        // They come in the order of their words' scores, so none behind the first that cannot reach the limit can.
        if (part(others[at]) + rest < limit) break
        limit = await cosinesOf(others.slice(at, at + AT_ONCE))
      }
    }
    if (!complete && !(limit > rest)) continue
    const docs = Uint32Array.from(cosines.keys())
    const top = best(host, { docs, scores: Float64Array.from(docs, score) }, most)
    return {
      ...top,
      vectorScores: Float64Array.from(top.docs, (doc) => cosines.get(doc)!),
      textScores: Float64Array.from(top.docs, textOf),
    }
  }
}

/** The documents whose bound reaches the limit, the highest bound first. */
function reaching(docs: Uint32Array, bound: (doc: number) => number, limit: number): Uint32Array {
  const found: number[] = []
  for (const doc of docs) if (!(bound(doc) < limit)) found.push(doc)
  return Uint32Array.from(found.sort((a, b) => bound(b) - bound(a)))
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
