import type { FoundHit } from './stores/finder'

/** Hits with less than this share of the best score are less sure. */
const TAIL = 0.62

/**
 * Returns how many of the hits, from the first one, are a real answer. 0 means that nothing is close. A hit is a real
 * answer if its meaning is near enough, or if it has a good part of the words.
 */
export function sureHits(hits: FoundHit<unknown>[], floor: number, wordsAlone: boolean): number {
  const [best] = hits
  if (!best) return 0
  const near = ({ cosine, parts, score }: FoundHit<unknown>) =>
    wordsAlone ? parts.words > 0 : (cosine !== undefined && cosine >= floor) || (score > 0 && parts.words / score > 0.5)
  if (!hits.some(near)) return 0
  const end = hits.findIndex((hit) => !near(hit) || hit.score < best.score * TAIL)
  return end < 0 ? hits.length : Math.max(1, end)
}
