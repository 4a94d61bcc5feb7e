/** Returns uniform random numbers, always the same for the same row. */
export function vectorOf(number, dimension) {
  let state = Math.imul(number + 1, 0x9e3779b1)
  const vector = new Float32Array(dimension)
  for (let i = 0; i < dimension; i++) {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    vector[i] = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 - 0.5
  }
  return vector
}
