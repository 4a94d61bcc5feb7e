import type { FileName } from '../contract/calls.js'
import { NidusError, invalid } from '../errors/errors.js'
import type { Input } from './source.js'

// The part of the tar format that a directory of two files needs: POSIX ustar, with the additions of GNU and pax.

export const BLOCK = 512
const OCTAL = 8 ** 11
/** The fields of a header: where each begins, and its length, in bytes. PREFIX has its end instead of its length. */
const NAME = [0, 100],
  MODE = [100, 8],
  UID = [108, 8],
  GID = [116, 8],
  SIZE = [124, 12],
  MTIME = [136, 12],
  SUM = [148, 8],
  TYPE = 156,
  MAGIC = 257,
  PREFIX = [345, 500]
type Field = number[]

const ascii = (text: string) => new TextEncoder().encode(text)
const decodedText = (bytes: Uint8Array) => new TextDecoder('utf-8').decode(bytes)
const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK

/** Returns the sum of all bytes of a header. The bytes of the sum itself count as spaces. */
function sumOf(header: Uint8Array): number {
  let sum = 8 * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < SUM[0] || i >= SUM[0] + SUM[1]) sum += header[i]
  return sum
}

/** Makes a header. It has no times and no users, so the same name and size always give the same bytes. */
export function tarHeader(name: string, size: number): Uint8Array {
  const header = new Uint8Array(BLOCK)
  const octal = ([at, length]: Field, value: number) =>
    header.set(ascii(value.toString(8).padStart(length - 1, '0')), at)
  header.set(ascii(name), NAME[0])
  octal(MODE, 0o644)
  octal(UID, 0)
  octal(GID, 0)
  if (size < OCTAL) octal(SIZE, size)
  else {
    // A larger number is in base 256, big-endian, with the first bit set.
    header[SIZE[0]] = 0x80
    new DataView(header.buffer).setBigUint64(SIZE[0] + 4, BigInt(size))
  }
  octal(MTIME, 0)
  header[TYPE] = 0x30
  header.set(ascii('ustar\u000000'), MAGIC)
  header.set(ascii(`${sumOf(header).toString(8).padStart(6, '0')}\0 `), SUM[0])
  return header
}

export const tarPadding = (size: number) => new Uint8Array(padding(size))
export const tarEnd = () => new Uint8Array(2 * BLOCK)

const numberIn = (header: Uint8Array, [at, length]: Field): number => {
  const field = header.subarray(at, at + length)
  if (field[0] & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, field[0] & 0x7f)
  const text = decodedText(field)
    .replace(/[\0 ]+$/, '')
    .trim()
  return text === '' ? 0 : /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN
}

/** Reads a text, which ends at its first zero byte. */
const textIn = (bytes: Uint8Array) => decodedText(bytes).replace(/\0.*$/s, '')

const unreadable = () => new NidusError('CORRUPT', 'the tar has an extended header that cannot be read')

/** Reads a length that pax wrote. An empty one means that the length in the header itself counts. */
function paxSize(text: string | undefined): number | undefined {
  if (!text) return undefined
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new NidusError(
      'CORRUPT',
      `the tar has an extended header with the size ${JSON.stringify(text.slice(0, 40))}, which is no length`,
    )
  return Number(text)
}

/**
 * Reads a path. POSIX keeps the folders of a long path in a field of their own. GNU has something else in that field.
 */
function pathIn(header: Uint8Array): string {
  const prefix =
    decodedText(header.subarray(MAGIC, MAGIC + 6)) === 'ustar\0'
      ? textIn(header.subarray(...(PREFIX as [number, number])))
      : ''
  return `${prefix && `${prefix}/`}${textIn(header.subarray(0, NAME[1]))}`
}

/** Reads the records of pax: `length key=value\n`, one after the other. The length includes itself. */
function paxIn(bytes: Uint8Array): Map<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const length = parseInt(decodedText(bytes.subarray(at, at + 20)), 10)
    if (!(length > 0 && length <= bytes.length - at)) throw unreadable()
    const [, key, value] = /^\d+ ([^=]+)=(.*)\n$/s.exec(decodedText(bytes.subarray(at, at + length))) ?? []
    if (key === undefined) throw unreadable()
    found.set(key, value)
    at += length
  }
  return found
}

/** The most bytes of an extended header. No path needs so many. */
const MAX_EXTENDED = 1024 * 1024

/** Returns the bytes of `data` and `log`, from any directory of the tar. Skips all other files. */
export async function* partsOfTar(input: Input): AsyncGenerator<{ file: FileName; bytes: Uint8Array }> {
  const found = new Set<string>()
  let folder: string | undefined
  let longName: string | undefined
  let pax = new Map<string, string>()
  const cut = (where: string) => new NidusError('CORRUPT', `the tar ends ${where}: it is cut off`)
  const all = async (size: number) => {
    if (!(size <= MAX_EXTENDED)) throw new NidusError('CORRUPT', `the tar has an extended header of ${size} bytes`)
    const bytes = await input.exactly(size)
    if (!bytes || !(await input.skip(padding(size)))) throw cut('within an extended header')
    return bytes
  }
  for (let first = true; ; first = false) {
    const header = await input.exactly(BLOCK)
    if (!header) {
      if (first) throw invalid('the source of the import is no tar: it has less than one block')
      if (found.size === 2 && input.ended) return
      throw cut('before its end mark')
    }
    if (header.every((byte) => byte === 0)) {
      if (found.size === 2) return
      throw invalid(
        `the tar has no file ${['data', 'log']
          .filter((name) => !found.has(name))
          .map((name) => `"${name}"`)
          .join(' and no ')}: it is no tar of a store`,
      )
    }
    const size = paxSize(pax.get('size')) ?? numberIn(header, SIZE)
    if (numberIn(header, SUM) !== sumOf(header) || !Number.isSafeInteger(size)) {
      const what =
        header[0] === 0x1f && header[1] === 0x8b ? ' (but gzip: pipe it through a DecompressionStream first)' : ''
      throw first
        ? invalid(`the source of the import is no tar${what}`)
        : new NidusError('CORRUPT', 'the tar has a damaged header')
    }
    const type = String.fromCharCode(header[TYPE] || 0x30)
    if (type === 'x') pax = paxIn(await all(size))
    else if (type === 'L') longName = textIn(await all(size))
    else if (type === 'g' || type === 'K') await all(size)
    else {
      const path = pax.get('GNU.sparse.name') ?? pax.get('path') ?? longName ?? pathIn(header)
      const sparse = type === 'S' || [...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))
      pax = new Map()
      longName = undefined
      const file = path.split('/').pop()!
      if ((file !== 'data' && file !== 'log') || type === '5') {
        // Links, devices and directories have no bytes, whatever their size says.
        if (!(await input.skip(/[1-6]/.test(type) ? 0 : size + padding(size)))) throw cut(`within "${path}"`)
        continue
      }
      if (sparse || !/[07]/.test(type))
        throw invalid(`"${path}" is not a plain file in the tar (make it without --sparse, and with --dereference)`)
      if (found.has(file)) throw invalid(`the tar has two files "${file}": it is no tar of one store`)
      const from = path.slice(0, -file.length).replace(/^(\.\/)+/, '')
      if (folder !== undefined && folder !== from)
        throw invalid(
          `the tar has "data" and "log" in two folders, "${folder}" and "${from}": they are not those of one store`,
        )
      folder = from
      found.add(file)
      for await (const bytes of input.pieces(size)) yield { file, bytes }
      if (input.short || !(await input.skip(padding(size)))) throw cut(`within "${path}"`)
    }
  }
}
