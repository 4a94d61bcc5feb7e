// Halves are floats of 16 bits (IEEE 754), in which the vectors of large sets are kept.

/** The value of each half, by its bits. */
const VALUES = Float32Array.from({ length: 65536 }, (_, bits) => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023]
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024
  return bits >> 15 ? -size : size
})

/** Returns the values of halves, which are given as their bits. */
export function valuesOf(halves) {
  const values = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) values[i] = VALUES[halves[i]]
  return values
}

/** Returns the bits of the halves that are nearest to the values. Every value must be smaller than 65,504. */
export const halvesOf = (values) => Uint16Array.from(values, nearest)

function nearest(value) {
  const size = Math.abs(value)
  const exponent = Math.max(-14, Math.floor(Math.log2(size)))
  // The unit of the last place. A quotient that rounds up to 2,048 carries into the exponent, as it should.
  const steps = toEven(size / 2 ** (exponent - 10))
  const bits = size === 0 ? 0 : steps + (exponent + 14) * 1024
  return value < 0 ? bits | 0x8000 : bits
}

/** Rounds to the nearest whole number, and a number in the middle to the even one. */
function toEven(number) {
  const low = Math.floor(number)
  const rest = number - low
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low
}
