/**
 * The shards that there are. If `from` < `to`, the store is growing: records move from the first `from` shards to the
 * new ones.
 */
export interface Layout {
  version: number
  from: number
  to: number
  dimension: number
}

export const MOST_SHARDS = 1024

function hash(text: string, seed: number): number {
  let state = seed
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return state ^ (state >>> 16)
}

/**
 * Returns the shard of a record, by jump consistent hash (Lamping and Veach, 2014) over a generator of 32 bits. If
 * there are more shards, a record stays where it is or moves to one of the new ones.
 */
export function placeOf(collection: string, id: string, shards: number): number {
  let state = hash(`${collection}\u0000${id}`, 0x811c9dc5)
  let place = 0
  for (let next = 0; next < shards;) {
    place = next
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    const chance = (((mixed ^ (mixed >>> 14)) >>> 0) + 1) / 2 ** 32
    next = Math.floor((place + 1) / chance)
  }
  return place
}

/** Returns the numbers from `from` on, without `to`. */
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
