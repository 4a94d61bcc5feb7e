import type { AttrsOf, Hit } from '../types/index.js'

const encoder = new TextEncoder()
function byBytes(a: string, b: string): number {
  const [x, y] = [encoder.encode(a), encoder.encode(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return x.length - y.length
}
/** As in one store. */
const order = <A extends AttrsOf<A>>(a: Hit<A>, b: Hit<A>) => b.score - a.score || byBytes(a.collection, b.collection) || byBytes(a.id, b.id)

/** The best of all lists. Undefined: a list that ended at what was asked of it may have hidden one of them, since another list had some of the same. */
export function merge<A extends AttrsOf<A>>(lists: Hit<A>[][], topK: number, asked: number): Hit<A>[] | undefined {
  const seen = new Map<string, Hit<A>>()
  let twice = false
  for (const hit of lists.flat()) {
    // Whatever characters both have.
    const key = `${hit.collection.length} ${hit.collection}${hit.id}`
    // The list that was made first counts: it is of the old shards.
    if (seen.has(key)) twice = true
    else seen.set(key, hit)
  }
  const best = [...seen.values()].sort(order).slice(0, topK)
  const worst = best[topK - 1]
  if (twice && lists.some((list) => list.length === asked && (!worst || order(list[asked - 1]!, worst) < 0))) return undefined
  return best
}
