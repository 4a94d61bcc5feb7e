// Tells how much the mixed rows of the case "million" resemble the real ones they are made of.
import { percentile } from '../data/statistics.mjs'
import { sharesOf } from '../data/spectrum.mjs'

export const DIRECTIONS = [32, 64, 128, 192, 256]
export const PARTS = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
const FOR_SPECTRUM = 8000
const FOR_NEAREST = 200

/** Returns `many` of the numbers of [from, to), with equal steps between them. */
const spread = (from, to, many) =>
  Array.from({ length: Math.min(many, to - from) }, (_, i) =>
    Math.floor(from + (i * (to - from)) / Math.min(many, to - from)),
  )

/**
 * Returns the spectrum of real and of mixed rows, and how near the nearest other row is: to real rows in the store of
 * these alone, and to real and to mixed rows in the large store. The stores find those nearest rows.
 */
export async function mixtureFacts({ dimension }, rowsOf, [small, large], [alone, together]) {
  const sample = (from, to) => {
    const chosen = spread(from, to, FOR_SPECTRUM)
    const rows = new Float32Array(chosen.length * dimension)
    chosen.forEach((row, i) => rows.set(rowsOf(row, row + 1), i * dimension))
    return sharesOf(rows, dimension, DIRECTIONS)
  }
  const nearest = async ({ call }, from, to) => {
    const rows = spread(from, to, FOR_NEAREST).map((row) => ({ row, vector: [...rowsOf(row, row + 1)] }))
    const scores = await call('nearest', { rows }, 600_000)
    return PARTS.map((part) => percentile(scores, part))
  }
  return {
    spectrum: { real: sample(0, small), mixed: sample(small, large) },
    nearest: {
      real: await nearest(alone, 0, small),
      'real, in all': await nearest(together, 0, small),
      mixed: await nearest(together, small, large),
    },
  }
}
