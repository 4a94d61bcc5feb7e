// Makes rows and queries from a seed: uniform and clustered ones. Row i does not depend on the number of rows, so a
// smaller input is the beginning of a larger one. This file runs in every runtime, so it uses nothing of Node.

/** The number of numbers in a row. */
export const DIMENSION = 384
/** The number of buckets. Each row belongs to one. Searches with a filter ask for one bucket. */
export const BUCKETS = 10
/**
 * Each block of rows has its own seed. So any part of a million rows can be generated again without the rest.
 */
export const BLOCK = 1000

/**
 * Returns a generator of numbers from 0 to below 1: Mulberry32. It has 32 bits of state, which is good enough for
 * noise.
 */
export function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
}
/** Returns the numbers below `count` in an order that depends on `seed` alone. */
export function shuffledOrder(count, seed) {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const next = random(seed)
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(next() * (i + 1))
    ;[order[i], order[other]] = [order[other], order[i]]
  }
  return order
}
/**
 * Returns a nearly normal number with variance 1: the sum of four uniform ones. That is much faster than a normal one.
 */
const normal = (next) => (next() + next() + next() + next() - 2) * Math.sqrt(3)

/** Scales the numbers [from, to) to length 1. */
export function normalize(rows, from, to) {
  let sum = 0
  for (let i = from; i < to; i++) sum += rows[i] * rows[i]
  const scale = 1 / Math.sqrt(sum)
  for (let i = from; i < to; i++) rows[i] *= scale
}

const CENTRES = 256
let centres
function centresOf(dimension) {
  if (centres?.length !== CENTRES * dimension) {
    const next = random(77)
    centres = Float32Array.from({ length: CENTRES * dimension }, () => normal(next))
    for (let i = 0; i < CENTRES; i++) normalize(centres, i * dimension, (i + 1) * dimension)
  }
  return centres
}

const makers = {
  uniform: (out, at, dimension, next) => {
    for (let i = 0; i < dimension; i++) out[at + i] = next() - 0.5
  },
  /** Writes a row: the sum of one of 256 centres and noise that is 0.7 times as long. */
  clustered: (out, at, dimension, next) => {
    const centre = Math.floor(next() * CENTRES) * dimension
    const noise = 0.7 / Math.sqrt(dimension)
    const of = centresOf(dimension)
    for (let i = 0; i < dimension; i++) out[at + i] = of[centre + i] + noise * normal(next)
  },
}
export const SYNTHETIC = Object.keys(makers)

/** Generates the rows [from, to) of a synthetic kind. `seed` differs for rows and queries. */
export function generate(kind, dimension, from, to, seed = 1) {
  const first = Math.floor(from / BLOCK)
  const blocks = new Float32Array((Math.ceil(to / BLOCK) - first) * BLOCK * dimension)
  for (let block = first, at = 0; block * BLOCK < to; block++) {
    const next = random(seed * 1_000_003 + block * 7919)
    for (let row = 0; row < BLOCK; row++, at += dimension) {
      makers[kind](blocks, at, dimension, next)
      normalize(blocks, at, at + dimension)
    }
  }
  return blocks.subarray((from - first * BLOCK) * dimension, (to - first * BLOCK) * dimension)
}

/** Returns the bucket of a row. The buckets of neighbouring rows follow no pattern. */
export const bucketOf = (row) => (Math.imul(row + 1, 2654435761) >>> 16) % BUCKETS

/**
 * Returns the input that a peer is filled from. `vectors` are all its rows. Without them, `make(from, to)` makes rows
 * when they are asked for.
 */
export function inputOf({ name, kind, rows, dimension }, { vectors, make }) {
  const buckets = Uint8Array.from({ length: rows }, (_, row) => bucketOf(row))
  const part = vectors
    ? (from, to) => vectors.subarray(from * dimension, to * dimension)
    : (make ?? ((from, to) => generate(kind, dimension, from, to)))
  return {
    name,
    rows,
    dimension,
    vectors,
    buckets,
    records: (from, to) => ({
      ids: Array.from({ length: to - from }, (_, i) => String(from + i)),
      vectors: part(from, to),
      attrs: Array.from({ length: to - from }, (_, i) => ({ bucket: buckets[from + i] })),
    }),
  }
}
