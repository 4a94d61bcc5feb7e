// Writes a store as lines of JSON, and reads such lines. The first line is { "dimension" }. Then come, for each
// collection, a line { "collection", "meta" } and its records.
import { createReadStream } from 'node:fs'
import type { Backend } from '../contract/backend.js'
import { NidusError } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import { checkKeys } from '../arguments/keys.js'
import { Reader, Writer, checkString, decodeMeta, describe, encodeMeta, isPlainObject } from '../core/wire.js'
import { invalid, type Part } from './input.js'
import { longNumber, parseExactly, readAttrs, writeAttrs } from './values.js'

const PAGE = 500
/** The most bytes of a line. */
const LONGEST = 256 * 1024 * 1024

const RECORD = { id: 1, vector: 1, attrs: 1, collection: 1 } as const
const COLLECTION = { collection: 1, meta: 1 } as const
const HEADER = { dimension: 1 } as const

/** Writes all documents of a store. `documents` is the number of documents in a line. */
export async function* linesOf(store: Backend): AsyncGenerator<{ text: string; documents: number }> {
  const { dimension } = store
  yield { text: JSON.stringify({ dimension }), documents: 0 }
  for (const collection of new Reader(await store.call('collections', {})).strings()) {
    const meta = decodeMeta(await store.call('getMeta', { collection }))
    yield { text: JSON.stringify({ collection, meta }), documents: 0 }
    let after: string | undefined
    for (let more = true; more;) {
      const page = await store.call('records', { collection, filter: encodeFilter(undefined), after, limit: PAGE })
      const reader = new Reader(page.wire)
      for (let i = 0; i < page.count; i++) {
        after = reader.str()
        const vector = JSON.stringify(Array.from(page.vectors.subarray(i * dimension, (i + 1) * dimension)))
        yield {
          text:
            `{"collection":${JSON.stringify(collection)},"id":${JSON.stringify(after)},` +
            `"vector":${vector},"attrs":${readAttrs(reader)}}`,
          documents: 1,
        }
      }
      more = page.more
    }
  }
}

/**
 * Reads the lines of a file as bytes. In this way bytes that are no UTF-8 can be refused. A text decoder would replace
 * them.
 */
export async function* lines(path: string): AsyncGenerator<{ bytes: Buffer; read: number }> {
  let rest: Buffer[] = []
  let held = 0
  let read = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const bytes = Buffer.concat([...rest, chunk.subarray(from, end)])
      ;[rest, held] = [[], 0]
      from = end + 1
      yield { bytes, read: (read += bytes.length + 1) }
    }
    rest.push(chunk.subarray(from))
    held += chunk.length - from
    if (held > LONGEST) throw invalid(`${path} has a line of more than ${LONGEST} bytes`)
  }
  if (held > 0) yield { bytes: Buffer.concat(rest), read: read + held }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Parses a line. Returns undefined for one that is empty. */
export function parse(bytes: Buffer, first: boolean, who: () => string): Record<string, unknown> | undefined {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw new NidusError('INVALID_ARGUMENT', `${who()}: the line is not UTF-8`, { cause })
  }
  if (first && text.startsWith('\uFEFF')) text = text.slice(1)
  if (text.trim() === '') return undefined
  let line: unknown
  try {
    line = parseExactly(text)
  } catch (cause) {
    throw new NidusError('INVALID_ARGUMENT', `${who()}: the line is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (!isPlainObject(line)) throw invalid(`${who()}: an object is needed, not ${describe(line)}`)
  return line
}

function checkVector(given: unknown, who: () => string): number[] {
  // A long whole number was kept exactly when it was parsed.
  const vector = Array.isArray(given)
    ? given.map((x: unknown) => {
        const long = longNumber(x)
        return long === undefined ? x : Number(long)
      })
    : given
  if (!Array.isArray(vector) || !vector.every((x) => typeof x === 'number'))
    throw invalid(
      `${who()}: "vector" must be an array of numbers` +
        (given === undefined ? ' (`nidus-wasm update` changes attributes alone)' : ''),
    )
  const bad = vector.findIndex((x) => !Number.isFinite(Math.fround(x)))
  if (bad >= 0) throw invalid(`${who()}: vector[${bad}] does not fit a 32-bit float`)
  if (vector.length === 0) throw invalid(`${who()}: the vector has no numbers`)
  return vector
}

/** Collects the records of one collection until there are enough for one write. */
class Batch {
  readonly writer = new Writer(1 << 16)
  readonly vectors: number[] = []
  count = 0

  constructor(readonly collection: string | undefined) {}

  add(id: string, vector: number[], attrs: unknown, who: () => string) {
    this.writer.str(id, () => `${who()}: "id"`)
    writeAttrs(this.writer, attrs, who)
    for (const x of vector) this.vectors.push(x)
    this.count++
  }
}

/**
 * Reads the lines of a file: records, as { "id", "vector", "attrs"?, "collection"? }, and the other lines that
 * `linesOf` writes. A record need not name its collection.
 */
export async function* jsonLines(path: string, total: number, batch: number): AsyncGenerator<Part> {
  let number = 0
  let read = 0
  let part: Batch | undefined
  let dimension: number | undefined
  const full = ({ collection, count, writer, vectors }: Batch): Part => ({
    collection,
    count,
    wire: writer.finish(),
    vectors: new Float32Array(vectors),
    dimension: dimension!,
    read,
    total,
  })
  for await (const { bytes, read: until } of lines(path)) {
    number++
    const line = parse(bytes, number === 1, who)
    if (!line) continue
    const { id, vector, attrs, collection, meta } = line
    // This also refuses a lone surrogate. In UTF-8 all lone surrogates become the same character, so two collections
    // could become one.
    if (collection !== undefined) checkString(collection, () => `${who()}: "collection"`)
    if ('dimension' in line) {
      checkKeys(line, HEADER, who)
      if (!Number.isInteger(line.dimension)) throw invalid(`${who()}: "dimension" must be a whole number`)
      if (dimension !== undefined && dimension !== line.dimension)
        throw new NidusError(
          'DIMENSION_MISMATCH',
          `${who()}: "dimension" is ${line.dimension as number}, but it was ${dimension} before`,
        )
      dimension = line.dimension as number
      yield { dimension, read, total }
      continue
    }
    if (!('id' in line) && !('vector' in line) && !('attrs' in line) && ('collection' in line || 'meta' in line)) {
      checkKeys(line, COLLECTION, who)
      if (part) yield full(part)
      part = undefined
      yield { collection, meta: meta === undefined ? undefined : metaOf(meta), dimension, read, total }
      continue
    }
    checkKeys(line, RECORD, who)
    if (typeof id !== 'string') throw invalid(`${who()}: "id" must be a string`)
    const numbers = checkVector(vector, who)
    dimension ??= numbers.length
    if (numbers.length !== dimension)
      throw new NidusError(
        'DIMENSION_MISMATCH',
        `${who()}: the vector has ${numbers.length} numbers, those before it ${dimension}`,
      )
    if (part && (part.count >= batch || part.collection !== collection)) {
      yield full(part)
      part = undefined
    }
    part ??= new Batch(collection)
    part.add(id, numbers, attrs, who)
    read = until
  }
  if (part) yield full(part)

  function who() {
    return `${path}, line ${number}`
  }
  function metaOf(meta: unknown) {
    try {
      return encodeMeta(meta)
    } catch (error) {
      throw invalid(`${who()}: ${(error as Error).message}`)
    }
  }
}
