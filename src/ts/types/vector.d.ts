type Float16 = typeof globalThis extends { Float16Array: { prototype: infer Array } } ? Array : never
/**
 * A vector: numbers in an array of any kind for floats (also a Float16Array, where the language has it). They are
 * stored as 32-bit floats.
 */
export type Vector = Float32Array | Float64Array | Float16 | number[]
