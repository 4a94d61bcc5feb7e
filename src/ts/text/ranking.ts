import type { QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { ALL, type Ranking } from './groups.js'
import { namesIn, type Found } from './hits.js'
import { byRanks, byWeights } from './hybrid.js'
import { inBoth } from './ranked.js'
import { readNames } from './store-documents.js'
import { nearest } from './vectors.js'
import type { Words } from './words.js'

/**
 * Returns the ranking of a question: by its words, by its vector, or by both. `among` is the set of documents that
 * match its filter.
 */
export function rankingOf(
  host: TextHost,
  args: QueryArgs,
  words: Words | undefined,
  among: Uint16Array | undefined,
  signal: AbortSignal | undefined,
): Ranking {
  const { vector, fusion, like } = args
  // The scores of vectors alone are compared as a search for the nearest does: as 32-bit floats.
  const minScore = words ? args.minScore : Math.fround(args.minScore)
  const rank = async (most: number, only: Uint16Array | undefined): Promise<Found> => {
    if (most === 0) return { docs: new Uint32Array(0), scores: new Float64Array(0) }
    if (words && vector)
      return fusion === 'rrf'
        ? byRanks(host, args, words, most, inBoth(only, among), signal)
        : byWeights(host, args, words, fusion, most, { among: inBoth(only, among), only }, signal)
    if (words) {
      const found = words.best(most, inBoth(only, among))
      return { ...found, textScores: found.scores }
    }
    if (!vector) return { docs: new Uint32Array(0), scores: new Float64Array(0) }
    const found = await nearest(host, args, vector, most, signal, only)
    return { ...found, vectorScores: found.scores }
  }
  return async (most, only) => {
    const more = like ? Math.min(most + 1, ALL) : most
    let found = await rank(more, only)
    if (like) found = slice(without(host, found, like), 0, most)
    const reach = Number.isNaN(minScore) ? -1 : found.scores.findIndex((score) => score < minScore)
    return reach < 0 ? found : slice(found, 0, reach)
  }
}

/** Returns a ranking without one of its records. */
function without(host: TextHost, found: Found, { collection, id }: { collection: string; id: string }): Found {
  const names = namesIn(readNames(host, found.docs))
  const own = names.findIndex((name) => name.id === id && name.collection === collection)
  return own < 0 ? found : only(found, (place) => place !== own)
}

export const slice = (found: Found, from: number, to = ALL): Found =>
  only(found, (place) => place >= from && place < to)

/** Keeps the documents at these places, with their scores. */
function only({ docs, scores, vectorScores, textScores }: Found, at: (place: number) => boolean): Found {
  const keep = (_: number, place: number) => at(place)
  return {
    docs: docs.filter(keep),
    scores: scores.filter(keep),
    ...(vectorScores && { vectorScores: vectorScores.filter(keep) }),
    ...(textScores && { textScores: textScores.filter(keep) }),
  }
}
