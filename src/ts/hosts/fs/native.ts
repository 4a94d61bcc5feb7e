import { crc32 } from '../../format/crc32.js'

const UPSERT = 3

/**
 * Returns whether `log` belongs to a data file that is renamed already. Native compacts by renaming first data, then
 * log. So the log must be whole. It must name exactly the rows of the data, each once and in order, as native writes
 * them.
 */
export function completes(log: Uint8Array, dataSize: number, dimension: number | undefined): boolean {
  if (!dimension) return false
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
  let rows = 0
  for (let at = 0; at < log.length;) {
    if (log.length - at < 8) return false
    const length = view.getUint32(at, true)
    const end = at + 4 + length
    if (length < 4 || end + 4 > log.length || crc32(log.subarray(at + 4, end)) !== view.getUint32(end, true))
      return false
    if (view.getUint32(at + 4, true) === UPSERT) {
      let row = at + 8
      for (let i = 0; i < 2; i++) {
        // The collection and the id. Each is a length as u64, and then the bytes.
        if (row + 8 > end || view.getUint32(row + 4, true) !== 0) return false
        row += 8 + view.getUint32(row, true)
      }
      if (row + 8 > end || view.getUint32(row, true) !== rows || view.getUint32(row + 4, true) !== 0) return false
      rows++
    }
    at = end + 4
  }
  return rows > 0 && dataSize === 64 + rows * dimension * 4
}
