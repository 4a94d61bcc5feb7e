import type { AttrsOf, Hit } from '../types/index.js'

const encoder = new TextEncoder()
/** The order of names in one store: that of their UTF-8 bytes. */
export function byBytes(a: string, b: string): number {
  const [x, y] = [encoder.encode(a), encoder.encode(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i] - y[i]
  return x.length - y.length
}
/** The same order as in one store. */
const order = <A extends AttrsOf<A>>(a: Hit<A>, b: Hit<A>) =>
  b.score - a.score || byBytes(a.collection, b.collection) || byBytes(a.id, b.id)

/**
 * Returns the best hits of all lists. Returns undefined if one of them may be missing: a list may have ended early
 * because another list has some of the same records.
 */
export function merge<A extends AttrsOf<A>>(lists: Hit<A>[][], topK: number, asked: number): Hit<A>[] | undefined {
  const seen = new Map<string, Hit<A>>()
  let twice = false
  for (const hit of lists.flat()) {
    // The length keeps the two apart, whatever characters they contain.
    const key = `${hit.collection.length} ${hit.collection}${hit.id}`
    // The earlier list counts, because it comes from the old shards.
    if (seen.has(key)) twice = true
    else seen.set(key, hit)
  }
  const best = [...seen.values()].sort(order).slice(0, topK)
  const worst = best[topK - 1]
  if (twice && lists.some((list) => list.length === asked && (!worst || order(list[asked - 1], worst) < 0)))
    return undefined
  return best
}
