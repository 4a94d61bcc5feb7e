// Reads the rows that a peer is filled from.
import { mixer } from '../data/mix.mjs'

/** Returns the rows as `inputOf` takes them. `read` reads a file of f32. */
export async function rowsFor({ file, mix, rows, dimension }, read) {
  if (!file) return {}
  const all = await read(file)
  if (!mix) return { vectors: all.subarray(0, rows * dimension) }
  const { buffer, byteOffset, length } = await read(mix)
  return { make: mixer(all, new Uint32Array(buffer, byteOffset, length), dimension) }
}
