import type { FileName } from '../contract/calls.js'
import { NidusError, invalid } from '../errors/errors.js'
import type { Input } from './source.js'

// Of the tar format (POSIX ustar, with what GNU and pax add) as much as a directory of two files takes.

export const BLOCK = 512
const OCTAL = 8 ** 11
/** Of a header's fields: where they begin, and how long they are. */
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
const textOf = (bytes: Uint8Array) => new TextDecoder('utf-8').decode(bytes)
const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK

/** The sum of all bytes, those of the sum itself taken as spaces. */
function sumOf(header: Uint8Array): number {
  let sum = 8 * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < SUM[0] || i >= SUM[0] + SUM[1]) sum += header[i]
  return sum
}

/** The same for the same name and size: no times, no users. */
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
    // Base 256, big-endian, the first bit set.
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
  const text = textOf(field)
    .replace(/[\0 ]+$/, '')
    .trim()
  return text === '' ? 0 : /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN
}

/** Texts end at their first zero. */
const textIn = (bytes: Uint8Array) => textOf(bytes).replace(/\0.*$/s, '')

const unreadable = () => new NidusError('CORRUPT', 'the tar has an extended header that cannot be read')

/** A length as pax writes it. An empty one takes the record back: the header's own counts. */
function paxSize(text: string | undefined): number | undefined {
  if (!text) return undefined
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new NidusError(
      'CORRUPT',
      `the tar has an extended header with the size ${JSON.stringify(text.slice(0, 40))}, which is no length`,
    )
  return Number(text)
}

/** Of a long path POSIX has the folders in a field of their own. (What GNU has there is something else.) */
function pathIn(header: Uint8Array): string {
  const prefix =
    textOf(header.subarray(MAGIC, MAGIC + 6)) === 'ustar\0'
      ? textIn(header.subarray(...(PREFIX as [number, number])))
      : ''
  return `${prefix && `${prefix}/`}${textIn(header.subarray(0, NAME[1]))}`
}

/** `length key=value\n`, the length counting itself, one after the other. */
function paxIn(bytes: Uint8Array): Map<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const length = parseInt(textOf(bytes.subarray(at, at + 20)), 10)
    if (!(length > 0 && length <= bytes.length - at)) throw unreadable()
    const [, key, value] = /^\d+ ([^=]+)=(.*)\n$/s.exec(textOf(bytes.subarray(at, at + length))) ?? []
    if (key === undefined) throw unreadable()
    found.set(key, value)
    at += length
  }
  return found
}

/** More than any path takes. */
const MAX_EXTENDED = 1024 * 1024

/** `data` and `log`, in whatever directory they lie; all else is passed over. */
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
      if (first) throw invalid('what was to be imported is no tar: it has less than one block')
      if (found.size === 2 && input.ended) return
      throw cut('before its end mark')
    }
    if (header.every((byte) => byte === 0)) {
      if (found.size === 2) return
      throw invalid(
        'the tar has no file ' +
          `${found.has('data') ? '' : found.has('log') ? '"data"' : '"data" and no '}${found.has('log') ? '' : '"log"'}: it is not that of a store`,
      )
    }
    const size = paxSize(pax.get('size')) ?? numberIn(header, SIZE)
    if (numberIn(header, SUM) !== sumOf(header) || !Number.isSafeInteger(size)) {
      const what =
        header[0] === 0x1f && header[1] === 0x8b ? ' (but gzip: pipe it through a DecompressionStream first)' : ''
      throw first
        ? invalid(`what was to be imported is no tar${what}`)
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
      if (found.has(file)) throw invalid(`the tar has two files "${file}": it is not that of one store`)
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
