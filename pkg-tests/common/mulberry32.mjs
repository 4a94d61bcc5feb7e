/**
 * Returns a generator of numbers from 0 to below 1, Mulberry32. The same 32 bits give the same numbers everywhere. Runs
 * in every runtime.
 */
export function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
