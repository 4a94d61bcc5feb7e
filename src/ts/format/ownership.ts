import { NidusError } from '../errors/errors.js'
import { crc32 } from './crc32.js'

/**
 * Whose a file is, by its first bytes: the one check that everything makes before it creates, replaces, cuts or removes
 * a pair of files.
 * `begun`: zeros, or the beginning of what we write. A write that was cut leaves that, and it says nothing about whose
 * the file is.
 */
export type Look = 'none' | 'begun' | 'ours' | 'foreign'
export type Which = 'data' | 'log'

/** Bytes of data's header. */
export const HEADER = 64
/** "NIDUS", zero. */
const MAGIC = [0x4e, 0x49, 0x44, 0x55, 0x53, 0]
/** A longer first frame is not checked to its end. */
const MOST = 1 << 20

export interface Seen {
  size: number
  look: Look
}

const NONE: Seen = { size: 0, look: 'none' }

/** `head`: at least the first 64 bytes, or all. */
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

/** Of so many first bytes of a log something can be told. */
export const headOfLog = (start: Uint8Array, size: number) => Math.min(size, MOST, numberAt(start, 0) + 8)

const numberAt = (bytes: Uint8Array, at: number) =>
  [3, 2, 1, 0].reduce((number, i) => number * 256 + (bytes[at + i] ?? 0), 0)

/** `head`: as much as {@link headOfLog} says. */
export function lookAtLog(head: Uint8Array, size: number): Seen {
  const [length, variant, name] = [numberAt(head, 0), numberAt(head, 4), numberAt(head, 8)]
  const end = 4 + length
  const whole = length >= 4 && end + 4 <= head.length && crc32(head.subarray(4, end)) === numberAt(head, end)
  // The core cuts what looks like this and is no whole frame; of anything else it says that it is damaged.
  const begun =
    (length <= (size < 8 ? MOST : 2 ** 30) || head[3] === 255 || head.subarray(0, 4).every((byte) => byte === 255)) &&
    variant < 16 &&
    name <= MOST &&
    numberAt(head, 12) === 0
  return { size, look: size === 0 ? 'none' : whole ? 'ours' : begun ? 'begun' : 'foreign' }
}

/**
 * Which of the two is somebody else's. One that is ours vouches for one that was begun; without it only what is no
 * longer than a header can be an unfinished creation.
 */
export function foreignOf(data: Seen = NONE, log: Seen = NONE): Which | undefined {
  if (data.look === 'foreign') return 'data'
  if (log.look === 'foreign') return 'log'
  if (data.look === 'ours' || log.look === 'ours') return undefined
  return log.look === 'begun' ? 'log' : data.size > HEADER ? 'data' : undefined
}

/** `path` names the file, or what stands for one. */
export const foreignError = (path: string, which: Which | 'head', code: 'CORRUPT' | 'INVALID_ARGUMENT' = 'CORRUPT') =>
  new NidusError(
    code,
    `${path} is not the ${which} of a nidus store, or its beginning is damaged. Nothing was changed: use another name, or move it away`,
  )

export const missingError = (path: string, which: Which, other?: number) =>
  new NidusError(
    'CORRUPT',
    `${path} is missing, and the ${which === 'data' ? 'log' : 'data'} beside it has ${other ?? 'its'} bytes. Nothing was changed: put it back, or see Nidus.salvage`,
  )

/**
 * What is missing beside a file that shows that it was there. A header without rows is a creation that was not
 * finished.
 */
export const missingOf = (data: number | undefined, log: number | undefined): Which | undefined =>
  log === undefined && data !== undefined && data > HEADER ? 'log' : data === undefined && log ? 'data' : undefined
