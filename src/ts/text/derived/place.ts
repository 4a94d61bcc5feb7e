import type { TextHost } from '../../engine/text-host.js'
import { rowsOfDocuments } from '../store-documents.js'

/** No document has this row. */
export const NO_ROW = 0xffffffff

/** The state of the log from which an index was made, and the rows of the documents. */
export interface Place {
  /** The length of the log, in bytes. */
  log: number
  /** A number that tells which operations the log has, up to this length. */
  sum: number
  /** The row of each document, by its number, or `NO_ROW`. Rows are the same in every opening of the log. */
  rows: Uint32Array
}

/** Returns the present place. Returns undefined while a compaction changes the rows. */
export function placeOf(host: TextHost): Place | undefined {
  const bytes = rowsOfDocuments(host)
  if (bytes.length === 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    log: view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32,
    sum: view.getUint32(8, true),
    rows: new Uint32Array(bytes.buffer, bytes.byteOffset + 12, (bytes.length - 12) / 4),
  }
}
