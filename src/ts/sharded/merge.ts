import { nameOf } from '../contract/query.js'
import type { AttrsOf, Hit } from '../types/index.js'

const encoder = new TextEncoder()
/** Compares names as one store does: by their UTF-8 bytes. */
export function byBytes(a: string, b: string): number {
  const [x, y] = [encoder.encode(a), encoder.encode(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i] - y[i]
  return x.length - y.length
}
export const byName = (a: Named, b: Named) => byBytes(a.collection, b.collection) || byBytes(a.id, b.id)
type Named = { collection: string; id: string }
/** Compares hits as one store does. */
export const byScore = <A extends AttrsOf<A>>(a: Hit<A>, b: Hit<A>) => b.score - a.score || byName(a, b)

/** Removes records that occur twice. The earlier list counts, because it comes from the old shards. */
export function once<T extends Named>(lists: T[][]): { all: T[]; twice: boolean } {
  const seen = new Map<string, T>()
  let twice = false
  for (const hit of lists.flat()) {
    const key = nameOf(hit)
    if (seen.has(key)) twice = true
    else seen.set(key, hit)
  }
  return { all: [...seen.values()], twice }
}

/**
 * Returns the best hits of all lists. Returns undefined if one of them may be missing: a list may have ended early
 * because another list has some of the same records.
 */
export function merge<T extends Hit<A>, A extends AttrsOf<A>>(
  lists: T[][],
  topK: number,
  asked: number,
  order: (a: T, b: T) => number = byScore,
): T[] | undefined {
  const { all, twice } = once(lists)
  const best = all.sort(order).slice(0, topK)
  const worst = best[topK - 1]
  if (twice && lists.some((list) => list.length === asked && (!worst || order(list[asked - 1], worst) < 0)))
    return undefined
  return best
}

/** Returns a text that differs for each value of an attribute. */
export function keyOf(value: unknown): string {
  if (value instanceof Date) return `date ${value.getTime()}`
  if (Array.isArray(value)) return `list ${JSON.stringify(value)}`
  return Object.is(value, -0) ? '-0' : `${typeof value} ${String(value)}`
}

/** Groups ordered hits by the value of their attribute, with at most `size` hits in each group. */
export function grouped<T>(hits: T[], size: number, valueOf: (hit: T) => unknown): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const hit of hits) {
    const key = keyOf(valueOf(hit))
    const group = groups.get(key)
    if (!group) groups.set(key, [hit])
    else if (group.length < size) group.push(hit)
  }
  return groups
}

/**
 * Returns the best `most` groups of all lists, each with its best `size` hits. Returns undefined if a hit may be
 * missing: a list that has as many groups as were asked for may have ended before a group that other lists have.
 */
export function mergeGroups(
  lists: Hit[][],
  { most, size }: { most: number; size: number },
  asked: { most: number; size: number },
): Hit[][] | undefined {
  const { all, twice } = once(lists)
  const groups = [...grouped(all.sort(byScore), size, ({ group }) => group)].slice(0, most)
  for (const list of lists) {
    const own = grouped(list, asked.size, ({ group }) => group)
    const full = own.size === asked.most
    if (twice && (full || [...own.values()].some((hits) => hits.length === asked.size))) return undefined
    if (!full) continue
    // Groups that are missing in this list have no better hit than the best one of its last group.
    const last = [...own.values()].at(-1)?.[0]
    for (const [key, hits] of groups)
      if (last && !own.has(key) && (hits.length < size || byScore(hits[size - 1], last) > 0)) return undefined
  }
  return groups.map(([, hits]) => hits)
}
