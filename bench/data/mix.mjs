// Makes more rows from real ones by mixing neighbours. This file runs in every runtime, so it uses nothing of Node.
//
// A mixed row is 0.55 (x + y + z) - 0.65 w, scaled to length 1, where y, z and w are three of the 32 nearest neighbours
// of x. bench/README.md says why these weights keep the covariance of the real rows.
import { normalize, random } from './rows.mjs'

/** The number of rows that are mixed with their neighbours: the first ones of the set. They take turns. */
export const PARENTS = 40_000
/** The number of neighbours from which three are drawn. */
export const NEIGHBOURS = 32
/** The weight of x, y and z, and that of w. */
const [TAKEN, REMOVED] = [0.55, 0.65]

/** Returns how many of `count` real rows need neighbours, so that `rows` rows can be made. */
export const parentsFor = (rows, count) => Math.min(PARENTS, count, Math.max(0, rows - count))

/** Draws three different numbers below NEIGHBOURS. */
function draw(next) {
  const found = new Set()
  while (found.size < 3) found.add(Math.floor(next() * NEIGHBOURS))
  return found
}

/**
 * Returns a function that returns the rows [from, to). The real rows come first, and mixed ones follow. Row i does not
 * depend on the number of rows. `neighbours` has NEIGHBOURS row numbers for each parent.
 */
export function mixer(real, neighbours, dimension) {
  const count = real.length / dimension
  const parents = Math.min(PARENTS, count)
  if (neighbours.length % NEIGHBOURS) throw new Error('the file of neighbours is of another form')
  const mixed = (out, at, row) => {
    const parent = (row - count) % parents
    const [y, z, w] = [...draw(random(row))].map((n) => neighbours[parent * NEIGHBOURS + n] * dimension)
    const x = parent * dimension
    for (let i = 0; i < dimension; i++)
      out[at + i] = TAKEN * (real[x + i] + real[y + i] + real[z + i]) - REMOVED * real[w + i]
    normalize(out, at, at + dimension)
  }
  return (from, to) => {
    if (to <= count) return real.subarray(from * dimension, to * dimension)
    const out = new Float32Array((to - from) * dimension)
    if (from < count) out.set(real.subarray(from * dimension))
    for (let row = Math.max(from, count); row < to; row++) mixed(out, (row - from) * dimension, row)
    return out
  }
}
