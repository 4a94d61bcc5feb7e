import { readSome } from '../../engine/rows.js'
import type { TextHost } from '../../engine/text-host.js'

const PIECE = 1 << 20
/**
 * The file is not worth reading if the log has grown by more bytes than this since it was written, and to more than
 * twice its length.
 */
const MOST_BEHIND = 4 << 20
/** The operations of the log: see SPEC.md, section 1.2. */
const UPSERT = 3
const LAST = 4

/**
 * Reads the operations of the log between two lengths, and returns the rows that they name. Returns undefined if they
 * do not lead from the one sum to the other: then the bytes before them are not those of the file. Also returns
 * undefined if there are too many bytes, or an operation of an unknown kind.
 */
export async function rowsBehind(
  { open }: TextHost,
  from: { log: number; sum: number },
  to: { log: number; sum: number },
): Promise<Set<number> | undefined> {
  const rows = new Set<number>()
  const length = to.log - from.log
  if (length < 0 || length > Math.max(MOST_BEHIND, from.log)) return undefined
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length;) {
    const { log } = open.files
    const some = await open.hostReads.for((gone) => readSome(log, from.log + at, Math.min(PIECE, length - at), gone))
    bytes.set(some, at)
    at += some.length
  }
  const view = new DataView(bytes.buffer)
  let { sum } = from
  for (let at = 0; at < length;) {
    if (at + 8 > length) return undefined
    const end = at + 4 + view.getUint32(at, true)
    if (end + 4 > length) return undefined
    const row = rowOf(view, at + 4, end)
    if (row === undefined) return undefined
    if (row !== NONE) rows.add(row)
    sum = (Math.imul(sum, 0x9e3779b1) + view.getUint32(end, true)) >>> 0
    at = end + 4
  }
  return sum === to.sum ? rows : undefined
}

const NONE = -1

/** Returns the row that an operation names, or `NONE` if it names none. Returns undefined if that is not known. */
function rowOf(view: DataView, from: number, end: number): number | undefined {
  if (end - from < 4) return undefined
  const kind = view.getUint32(from, true)
  if (kind > LAST) return undefined
  if (kind !== UPSERT) return NONE
  let at = from + 4
  // The collection and the id, each with its length in front.
  for (let i = 0; i < 2; i++) {
    if (at + 8 > end) return undefined
    at += 8 + view.getUint32(at, true)
  }
  return at + 8 > end ? undefined : view.getUint32(at, true)
}
