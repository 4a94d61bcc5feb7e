import { NidusError, invalid, reading } from '../errors/errors.js'
import { BATCH, CHANGE, RECORD, checkKeys, type Known } from './keys.js'
import type { ColumnarBatch, RecordInput } from '../types/index.js'
import { MOST_AHEAD, Writer, checkString, describe, encodeIds, isPlainObject } from '../core/wire.js'

const MAX_F32 = 3.4028234663852886e38

/**
 * A batch as it was at the time of the call. The caller may change its arrays afterwards, except vectors that it lends.
 */
interface Captured {
  count: number
  batch: Uint8Array<ArrayBuffer>
  vectors: Float32Array
  /** True if `vectors` are the caller's own and not a copy. */
  lent: boolean
}

/** Says what may be done with the vectors of a columnar batch. */
type Way = 'copy' | 'transfer' | 'lend'

type Floats = Float32Array | Float64Array

const isFloats = (value: unknown): value is Floats => /t Float\d+Array]/.test(Object.prototype.toString.call(value))

export const recordName = (i: number, id: unknown) =>
  `record ${i}${typeof id === 'string' ? ` (id ${describe(id)})` : ''}`

const wrongLength = (who: string, length: number, dimension: number) =>
  new NidusError(
    'DIMENSION_MISMATCH',
    `${who}: vector has ${length} numbers, the store's dimension is ${dimension}: use the model that made its vectors`,
  )

export function captureBatch(input: unknown, dimension: number, way: Way): Captured {
  return reading('the batch', () => {
    if (Array.isArray(input)) return captureRecords(input as RecordInput[], dimension)
    if (isPlainObject(input))
      return input.ids === undefined && 'id' in input
        ? captureRecords([input as unknown as RecordInput], dimension)
        : captureColumns(input as unknown as ColumnarBatch, dimension, way)
    throw invalid(`a batch is a record, an array of records or { ids, vectors, attrs }, not ${describe(input)}`)
  })
}

/** Writes the ids and attributes of records, or of changes. `vectors` takes the rest of a record. */
function writeRecords(
  records: unknown[],
  known: Known,
  vectors?: (vector: unknown, i: number, who: () => string) => void,
) {
  const writer = new Writer(64 + Math.min(records.length * 64, MOST_AHEAD))
  let i = 0
  reading(
    () => `record ${i}`,
    () => {
      for (; i < records.length; i++) {
        const record = records[i]
        if (!isPlainObject(record)) throw invalid(`record ${i} must be an object with an id, not ${describe(record)}`)
        const { id, vector, attrs } = record
        const who = () => recordName(i, id)
        checkKeys(record, known, who)
        writer.str(id, () => `record ${i}: id`)
        writer.attrs(attrs, who, !vectors)
        vectors?.(vector, i, who)
      }
    },
  )
  return { count: records.length, batch: writer.finish() }
}

function captureRecords(records: RecordInput[], dimension: number): Captured {
  let vectors: Float32Array<ArrayBuffer> | undefined
  const written = writeRecords(records, RECORD, (vector, i, who) => {
    // Allocated late: an array may have a huge length and no records, and then the first record is refused before this.
    vectors ??= newFloats(records.length * dimension)
    copyVector(vector, vectors, i * dimension, dimension, who)
  })
  return { ...written, vectors: vectors ?? newFloats(0), lent: false }
}

export const captureChanges = (input: unknown) =>
  reading('the changes', () => writeRecords(Array.isArray(input) ? input : [input], CHANGE))

function captureColumns(batch: ColumnarBatch, dimension: number, way: Way): Captured {
  const { ids, vectors: given, attrs } = batch
  checkKeys(batch, BATCH, 'the batch')
  if (!Array.isArray(ids)) throw invalid(`a batch's ids must be an array of strings, not ${describe(ids)}`)
  let own: Float32Array<ArrayBuffer> | undefined
  if (Array.isArray(given)) {
    if (given.length !== ids.length) throw invalid(`the batch has ${ids.length} ids but ${given.length} vectors`)
    own = newFloats(given.length * dimension)
    for (let i = 0; i < given.length; i++)
      copyVector(given[i], own, i * dimension, dimension, () => recordName(i, ids[i]))
  } else if (!isFloats(given))
    throw invalid(`a batch's vectors must be a Float32Array or a list of vectors, not ${describe(given)}`)
  const vectors = own ?? (given as Float32Array)
  if (attrs !== undefined && !Array.isArray(attrs))
    throw invalid(`a batch's attrs must be an array, not ${describe(attrs)}`)
  if (attrs && attrs.length !== ids.length) throw invalid(`the batch has ${ids.length} ids but ${attrs.length} attrs`)
  if (vectors.length !== ids.length * dimension) {
    throw new NidusError(
      'DIMENSION_MISMATCH',
      `the batch has ${ids.length} ids and ${vectors.length} numbers; the store's dimension is ${dimension}, so ` +
        `there should be ${ids.length * dimension}`,
    )
  }
  const writer = new Writer(64 + Math.min(ids.length * 64, MOST_AHEAD))
  let i = 0
  reading(
    () => `record ${i}`,
    () => {
      for (; i < ids.length; i++) {
        writer.str(ids[i], () => `record ${i}: id`)
        writer.attrs(attrs?.[i], () => recordName(i, ids[i]))
      }
    },
  )
  const floats32 = !own && vectors.BYTES_PER_ELEMENT === 4
  const lent = way === 'lend' && floats32 && vectors.length > 0
  // Only a whole buffer can be transferred: a part would take the rest from the caller, too.
  const moved =
    way === 'transfer' &&
    floats32 &&
    vectors.buffer instanceof ArrayBuffer &&
    vectors.byteLength === vectors.buffer.byteLength
  // Lent vectors get a plain Float32Array, too: a subclass may define `subarray` and `slice` in its own way.
  const captured = lent
    ? new Float32Array(vectors.buffer, vectors.byteOffset, vectors.length)
    : moved
      ? vectors
      : (own ?? copyOf(vectors))
  return { count: ids.length, batch: writer.finish(), vectors: captured, lent }
}

/** Returns a copy. `slice` would make an array of the caller's subclass, and throws if the buffer was transferred. */
export function copyOf(vectors: Float32Array): Float32Array<ArrayBuffer> {
  const copy = newFloats(vectors.length)
  if (vectors.length > 0) copy.set(vectors)
  return copy
}

/**
 * The memory of an earlier copy, kept for the next one. A new allocation for each batch costs more time in garbage
 * collection than the batch itself.
 */
let spare: ArrayBuffer | undefined
const MOST_SPARE = 1 << 23

/** Keeps the memory of a copy that is no longer needed. */
export function giveBack({ buffer }: Float32Array) {
  // A buffer that was sent to a worker has no bytes any more.
  if (buffer.byteLength > (spare?.byteLength ?? 0) && buffer.byteLength <= MOST_SPARE) spare = buffer as ArrayBuffer
}

function newFloats(length: number): Float32Array<ArrayBuffer> {
  const kept = spare
  // Whoever copies the array for sending copies its whole buffer.
  if (kept && kept.byteLength >= length * 4 && kept.byteLength <= length * 8) {
    spare = undefined
    return new Float32Array(kept, 0, length)
  }
  try {
    return new Float32Array(length)
  } catch (cause) {
    throw new NidusError('OUT_OF_MEMORY', `no memory for ${length} numbers; upsert fewer records at once`, { cause })
  }
}

function copyVector(vector: unknown, into: Float32Array, at: number, dimension: number, who: () => string) {
  if (!isFloats(vector) && !Array.isArray(vector))
    throw invalid(`${who()}: vector must be a Float32Array or an array of numbers, not ${describe(vector)}`)
  if (vector.length !== dimension) throw wrongLength(who(), vector.length, dimension)
  if (!isFloats(vector)) {
    for (let i = 0; i < vector.length; i++) {
      const number: unknown = vector[i]
      if (typeof number !== 'number') throw invalid(`${who()}: vector[${i}] is ${describe(number)}, not a number`)
    }
  }
  into.set(vector, at)
}

/**
 * Throws unless all numbers are finite as 32-bit floats, and the sum of their squares, too. This is for queries, and
 * for the records of a sharded store. The core checks the records of every other store, and gives the same messages.
 */
export function checkVector(vector: Float32Array, who: string) {
  let squares = 0
  for (let i = 0; i < vector.length; i++) squares += vector[i] * vector[i]
  if (squares <= MAX_F32) return
  const bad = vector.findIndex((number) => !Number.isFinite(number))
  throw invalid(
    bad < 0
      ? `${who}: the vector is too long: its squared norm overflows a 32-bit float`
      : `${who}: vector[${bad}] is ${vector[bad]} as a 32-bit float; vectors take numbers up to 3.4e38`,
  )
}

export function captureQuery(query: unknown, dimension: number, who = 'the query'): Float32Array {
  if (typeof query === 'string') throw invalid(`${who} is a text; search({ text }) finds words`)
  const copy = new Float32Array(dimension)
  reading(who, () => copyVector(query, copy, 0, dimension, () => who))
  checkVector(copy, who)
  return copy
}

/** Returns a copy of the queries, one after the other. */
export function captureQueries(queries: unknown, dimension: number): Float32Array {
  return reading('queries', () => {
    if (!Array.isArray(queries)) throw invalid(`queries must be an array of vectors, not ${describe(queries)}`)
    const all = new Float32Array(queries.length * dimension)
    for (let i = 0; i < queries.length; i++) all.set(captureQuery(queries[i], dimension, `query ${i}`), i * dimension)
    return all
  })
}

/** Returns a copy of the ids, and the ids as they are sent. A single id counts as a list with one id. */
export function captureIds(given: unknown): { ids: string[]; wire: Uint8Array<ArrayBuffer> } {
  return reading('ids', () => {
    const ids: unknown = typeof given === 'string' ? [given] : given
    if (!Array.isArray(ids)) throw invalid(`ids must be a string or an array of strings, not ${describe(ids)}`)
    // Encoded before it is copied: an array may have a huge length and no ids, and encoding refuses the first one.
    const wire = encodeIds(ids)
    return { ids: [...ids] as string[], wire }
  })
}

export const collectionName = (collection: unknown) => {
  checkString(collection, () => "the collection's name")
  return collection
}

/** Returns the names as they are now, each once. Undefined stands for all collections. */
export const collectionNames = (collections: unknown): string[] | undefined =>
  collections === undefined
    ? undefined
    : reading('collections', () => {
        const names = new Set<string>()
        for (const name of Array.isArray(collections) ? collections : [collections]) names.add(collectionName(name))
        return [...names]
      })

export function checkTopK(topK: unknown): number {
  return topK === undefined ? 10 : Math.min(checkCount(topK, 'topK'), 0xffffffff)
}

export function checkCount(count: unknown, what: string): number {
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    throw invalid(`${what} must be an integer from 0 up, not ${describe(count)}`)
  return count
}

/** Returns the least score, or NaN if there is none: the core takes NaN for that. */
export function checkMinScore(minScore: unknown): number {
  if (minScore === undefined) return NaN
  if (typeof minScore !== 'number' || Number.isNaN(minScore))
    throw invalid(`minScore must be a number, not ${describe(minScore)}`)
  return minScore
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined
  // A proxy around a signal has its methods, but they throw.
  const { aborted, addEventListener } = reading('signal', () => {
    const { aborted, addEventListener } = (signal ?? {}) as AbortSignal
    return { aborted, addEventListener }
  })
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function')
    throw invalid(`signal must be an AbortSignal, not ${describe(signal)}`)
  return signal as AbortSignal
}
