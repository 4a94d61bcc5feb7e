import { mulberry32 } from '../common/mulberry32.mjs'

/** Returns uniform random numbers, always the same for the same row. */
export function vectorOf(number, dimension) {
  const next = mulberry32(Math.imul(number + 1, 0x9e3779b1))
  return Float32Array.from({ length: dimension }, () => next() - 0.5)
}
