import type { Backend } from '../contract/backend.js'
import type { Args, MethodOf, Kind } from '../contract/calls.js'
import { aborted, invalid, type NidusError } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import { checkMinScore, checkSignal, checkTopK, collectionName, collectionNames } from '../arguments/input.js'
import { SIGNAL } from '../arguments/keys.js'
import { checkOptions } from '../arguments/options.js'
import { Reader, decodeMeta, encodeIds, isPlainObject, withTook } from '../core/wire.js'
import type { AttrsOf, Hit, SearchOptions, SignalOption, VectorRecord } from '../types/index.js'

/**
 * The key of the method that returns the backend. It is no private field, because a proxy around a store (Vue's,
 * MobX's) has none. It is a function, because such a proxy would wrap the backend itself.
 */
export const BACKEND = Symbol()

/** The parts of an open store that its reads use. */
export interface Opened {
  readonly dimension: number
  readonly [BACKEND]: () => Backend
}

const PAGE = 512

/** Copies one row, so that a caller who keeps one record does not keep its whole page. */
export const rowOf = ({ dimension }: { dimension: number }, vectors: Float32Array, i: number): Float32Array =>
  vectors.slice(i * dimension, (i + 1) * dimension)

export const signalOf = (options: SignalOption | undefined, place: string) =>
  checkSignal(checkOptions(options, SIGNAL, place).signal)

export const metaOf = async (db: Opened, collection: string) =>
  decodeMeta(await db[BACKEND]().call('getMeta', { collection: collectionName(collection) }))

/** Longer arrays are refused, because a sparse array can be longer than memory. */
const LONGEST = 1_000_000

/** Copies plain objects and arrays, since the caller may change them while a part of the package is loaded. */
export const snapshot = (value: unknown): unknown =>
  Array.isArray(value)
    ? (value.length > LONGEST ? tooLong(value.length) : value).map(snapshot)
    : isPlainObject(value)
      ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, snapshot(part)]))
      : value

function tooLong(length: number): never {
  throw invalid(`an array with ${length} elements is too long: ${LONGEST} at most`)
}

/** Makes a read. If it is aborted, its error says nothing about writes. */
export function read<M extends MethodOf<Kind.Read | Kind.Rows | Kind.Text>>(
  store: Backend,
  method: M,
  args: Args<M>,
  signal: AbortSignal | undefined,
) {
  return store.call(method, args, { signal }).catch((error: unknown) => {
    throw signal?.aborted && (error as NidusError).code === 'ABORTED'
      ? aborted(signal, `${method}: the call was aborted`)
      : error
  })
}

export async function* pages<A extends AttrsOf<A>>(
  db: Opened,
  collection: string,
  filter: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<VectorRecord<A>> {
  let after: string | undefined
  for (;;) {
    // Sending transfers the filter's bytes, so each page sends a copy.
    const { wire, vectors, count, more } = await read(
      db[BACKEND](),
      'records',
      { collection, filter: filter.slice(), after, limit: PAGE },
      signal,
    )
    const reader = new Reader(wire)
    for (let i = 0; i < count; i++) {
      after = reader.str()
      yield { id: after, vector: rowOf(db, vectors, i), attrs: reader.attrs<A>() }
    }
    if (!more) return
  }
}

export async function searchAll<A extends AttrsOf<A>>(
  db: Opened,
  queries: Float32Array,
  options: SearchOptions<A>,
): Promise<Hit<A>[][] & { took?: number }> {
  const { collections, topK, minScore, filter, withVectors, signal } = options
  const names = collectionNames(collections)
  const { wire, scores, vectors, counts, took } = await read(
    db[BACKEND](),
    'search',
    {
      queries,
      collections: names?.length,
      names: encodeIds(names ?? []),
      topK: checkTopK(topK),
      minScore: checkMinScore(minScore),
      filter: encodeFilter(filter),
      withVectors: withVectors === true,
    },
    checkSignal(signal),
  )
  const reader = new Reader(wire)
  let i = 0
  const lists = Array.from(counts, (count) => {
    const hits: Hit<A>[] = []
    for (const end = i + count; i < end; i++) {
      const hit: Hit<A> = { collection: reader.str(), id: reader.str(), score: scores[i], attrs: reader.attrs<A>() }
      if (vectors) hit.vector = rowOf(db, vectors, i)
      hits.push(hit)
    }
    return hits
  })
  return withTook(lists, took)
}
