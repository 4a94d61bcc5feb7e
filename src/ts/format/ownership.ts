import { NidusError } from '../errors/errors.js'
import { crc32 } from './crc32.js'

/**
 * Says to whom a file belongs, judged by its first bytes. All code makes this check before it creates, replaces, cuts
 * or removes a pair of files.
 *
 * `begun` means zeros, or the beginning of bytes that we would write. An interrupted write leaves such a file, but the
 * file may as well belong to another program.
 */
type Look = 'none' | 'begun' | 'ours' | 'foreign'
export type Which = 'data' | 'log'

/** The length of the header of `data`, in bytes. */
export const HEADER = 64
/** "NIDUS", zero. */
const MAGIC = [0x4e, 0x49, 0x44, 0x55, 0x53, 0]
/** The most bytes of a first frame whose checksum is checked. */
const MOST = 1 << 20

export interface Seen {
  size: number
  look: Look
}

const NONE: Seen = { size: 0, look: 'none' }

/** Judges a data file. `head` has at least its first 64 bytes, or the whole file if it is shorter. */
export function lookAtData(head: Uint8Array, size: number): Seen {
  const start = head.subarray(0, HEADER)
  const is = MAGIC.every((byte, i) => i >= start.length || start[i] === byte)
  const look =
    size === 0
      ? 'none'
      : is
        ? size < HEADER
          ? 'begun'
          : 'ours'
        : start.every((byte) => byte === 0)
          ? 'begun'
          : 'foreign'
  return { size, look }
}

/** Returns how many first bytes of a log `lookAtLog` needs. `start` has the first bytes of the log. */
export const headOfLog = (start: Uint8Array, size: number) => Math.min(size, MOST, numberAt(start, 0) + 8)

const numberAt = (bytes: Uint8Array, at: number) =>
  [3, 2, 1, 0].reduce((number, i) => number * 256 + (bytes[at + i] ?? 0), 0)

/** Judges a log. `head` has as many of its first bytes as {@link headOfLog} says. */
export function lookAtLog(head: Uint8Array, size: number): Seen {
  const [length, variant, name] = [numberAt(head, 0), numberAt(head, 4), numberAt(head, 8)]
  const end = 4 + length
  const whole = length >= 4 && end + 4 <= head.length && crc32(head.subarray(4, end)) === numberAt(head, end)
  // The core cuts an end that looks like this and is no whole frame. It reports anything else as damage.
  const begun =
    (length <= (size < 8 ? MOST : 2 ** 30) || head[3] === 255 || head.subarray(0, 4).every((byte) => byte === 255)) &&
    variant < 16 &&
    name <= MOST &&
    numberAt(head, 12) === 0
  return { size, look: size === 0 ? 'none' : whole ? 'ours' : begun ? 'begun' : 'foreign' }
}

/**
 * Returns which of the two files belongs to another program, if one does. A file that is ours shows that a begun file
 * beside it is ours, too. If neither is ours, only a data file that is no longer than a header can be an unfinished
 * creation.
 */
export function foreignOf(data: Seen = NONE, log: Seen = NONE): Which | undefined {
  if (data.look === 'foreign') return 'data'
  if (log.look === 'foreign') return 'log'
  if (data.look === 'ours' || log.look === 'ours') return undefined
  return log.look === 'begun' ? 'log' : data.size > HEADER ? 'data' : undefined
}

/**
 * Returns the error for a file that belongs to another program. `path` names the file, or what takes its place in a
 * database.
 */
export const foreignError = (path: string, which: Which | 'head', code: 'CORRUPT' | 'INVALID_ARGUMENT' = 'CORRUPT') =>
  new NidusError(
    code,
    `${path} is not the ${which} of a nidus store, or its beginning is damaged. Nothing was changed: use another ` +
      'name, or move it away',
  )

export const missingError = (path: string, which: Which, other?: number) =>
  new NidusError(
    'CORRUPT',
    `${path} is missing, and the ${which === 'data' ? 'log' : 'data'} beside it has ${other ?? 'its'} bytes. ` +
      'Nothing was changed: put it back, or see Nidus.salvage',
  )

/**
 * Returns which file is missing, if the other one shows that it was there. The arguments are the sizes in bytes. A data
 * file with a header and no rows does not show that: it is a creation that was not finished.
 */
export const missingOf = (data: number | undefined, log: number | undefined): Which | undefined =>
  log === undefined && data !== undefined && data > HEADER ? 'log' : data === undefined && log ? 'data' : undefined
