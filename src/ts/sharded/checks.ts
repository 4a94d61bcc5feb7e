import { invalid, reading } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import {
  captureBatch,
  captureChanges,
  captureQueries,
  captureQuery,
  checkMinScore,
  checkSignal,
  checkTopK,
  checkVector,
  collectionName,
  collectionNames,
  recordName,
} from '../arguments/input.js'
import { LIST, QUERY, QUESTION, SEARCH, SIMILAR, VECTOR_SEARCH, checkKeys, type KeysOf } from '../arguments/keys.js'
import { checkDimension, checkName, checkOptions } from '../arguments/options.js'
import type {
  AttrsOf,
  ListOptions,
  QuestionOptions,
  SearchOptions,
  SimilarOptions,
  TextSettings,
  VectorSearchOptions,
} from '../types/index.js'
import type { ShardedCallOptions, ShardedEnv, ShardedOptions, ShardedSearchOptions } from '../types/sharded.js'
import { captured, isShaped } from '../api/questions.js'
import { snapshot } from '../api/reads.js'
import type { QueryArgs } from '../contract/query.js'
import { argsOf, listArgs, settingsOf, type Asked } from '../question/index.js'
import { GONE, Reader, checkString, describe, isPlainObject, put } from '../core/wire.js'
import { MOST_SHARDS } from './layout.js'
import type { Changed, Sent, Wanted } from './protocol.js'
import { checkSize } from './sizes.js'

const ENV = { router: 1, shards: 1 } satisfies KeysOf<ShardedEnv>
const CALL = { signal: 1, timeout: 1 } satisfies KeysOf<ShardedCallOptions>
const SHARDED = { dimension: 1, shards: 1, timeout: 1 } satisfies KeysOf<ShardedOptions>
const SHARDED_VECTOR = { ...VECTOR_SEARCH, ...CALL } satisfies KeysOf<VectorSearchOptions & ShardedCallOptions>
const SHARDED_QUESTION = { ...QUESTION, ...CALL } satisfies KeysOf<QuestionOptions & ShardedCallOptions>
const SHARDED_SIMILAR = { ...SIMILAR, ...CALL } satisfies KeysOf<SimilarOptions & ShardedCallOptions>
const SHARDED_LIST = { ...LIST, ...CALL } satisfies KeysOf<ListOptions & ShardedCallOptions>
const SHARDED_SEARCH = { ...SEARCH, ...CALL } satisfies KeysOf<SearchOptions & ShardedCallOptions>

export function checkEnv(env: ShardedEnv, name: string, options: ShardedOptions) {
  reading('the namespaces of ShardedNidus', () => {
    if (typeof env !== 'object' || env === null)
      throw invalid(`ShardedNidus takes the namespaces { router, shards } first, not ${describe(env)}`)
    checkKeys(env, ENV, 'the namespaces of ShardedNidus')
    for (const key of ['router', 'shards'] as const) {
      const { get, idFromName } = env[key] ?? {}
      if (typeof get !== 'function' || typeof idFromName !== 'function')
        throw invalid(
          `ShardedNidus: ${key} must be a Durable Object namespace (a binding from your wrangler configuration), ` +
            `not ${describe(env[key])}`,
        )
    }
  })
  checkName(name)
  const { dimension, shards, timeout } = checkOptions(options, SHARDED, 'ShardedNidus')
  checkTimeout(timeout)
  if (shards !== undefined) checkShards(shards)
  return { dimension: checkDimension(dimension), shards, timeout }
}

export function checkShards(shards: unknown) {
  if (!Number.isInteger(shards) || (shards as number) < 1 || (shards as number) > MOST_SHARDS)
    throw invalid(`shards must be an integer from 1 to ${MOST_SHARDS}, not ${describe(shards)}`)
}

function checkTimeout(timeout: unknown) {
  // A timer takes at most 31 bits.
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0 && timeout < 2 ** 31))
    throw invalid(`timeout must be a number of milliseconds above 0 and up to 2147483647, not ${describe(timeout)}`)
}

export function checkCall(options: ShardedCallOptions | undefined, method: string): ShardedCallOptions {
  const { signal, timeout } = checkOptions(options, CALL, method)
  return callOf(signal, timeout)
}
function callOf(given: unknown, timeout: number | undefined): ShardedCallOptions {
  const signal = checkSignal(given)
  checkTimeout(timeout)
  return { ...(signal && { signal }), ...(timeout !== undefined && { timeout }) }
}

/** Only undefined means that there is no filter. Any other value that is no filter is an error. */
export const checkFilter = (filter: unknown) => void encodeFilter(filter)

export function checkSearch<A extends AttrsOf<A>>(
  options: ShardedSearchOptions<A> | undefined,
  method: string,
): ShardedCallOptions & { wanted: Wanted & { topK: number } } {
  const { collections, topK, minScore, filter, withVectors, signal, timeout } = checkOptions<ShardedSearchOptions<A>>(
    options,
    SHARDED_SEARCH,
    method,
  )
  checkFilter(filter)
  checkMinScore(minScore)
  // The type names all options, so that a new one does not compile until it is here.
  const wanted: Wanted & { topK: number } = {
    collections: collectionNames(collections),
    topK: checkTopK(topK),
    minScore,
    filter,
    withVectors,
  }
  return { ...callOf(signal, timeout), wanted }
}

/**
 * Returns a copy of each vector. The vectors follow each other in one array. A view would be sent with the whole array.
 */
const apart = (vectors: Float32Array, dimension: number): Float32Array[] =>
  Array.from({ length: vectors.length / dimension }, (_, i) => vectors.slice(i * dimension, (i + 1) * dimension))

/** Returns a copy of each query. */
export const queriesApart = (queries: unknown, dimension: number): Float32Array[] =>
  apart(captureQueries(queries, dimension), dimension)

/**
 * Returns a copy of each record, because they go to several shards. A wrong record is refused here, with its number in
 * the batch, and not by a shard.
 */
export function captureSent(batch: unknown, dimension: number): Sent[] {
  const { batch: wire, vectors } = captureBatch(batch, dimension, 'copy')
  const reader = new Reader(wire)
  return apart(vectors, dimension).map((vector, i) => {
    const id = reader.str()
    checkVector(vector, recordName(i, id))
    const sent = { id, vector, attrs: reader.attrs() }
    checkSize(sent)
    return sent
  })
}

/** Returns a copy of each change. */
export function captureChanged(changes: unknown): Changed[] {
  const { count, batch } = captureChanges(changes)
  const reader = new Reader(batch)
  const view = new DataView(batch.buffer)
  return Array.from({ length: count }, () => {
    const changed: Changed = { id: reader.str(), attrs: {} }
    for (let n = reader.length(); n > 0; n--) {
      const key = reader.str()
      const gone = view.getUint32(reader.at, true) === GONE
      put(changed.attrs, key, gone ? reader.skip(4) : reader.value())
    }
    checkSize(changed)
    return changed
  })
}

/** Splits options into those of the call and those of the question, and captures both. */
function asked(
  options: ShardedCallOptions & { filter?: unknown },
  about: Pick<Asked, 'text' | 'vector' | 'collection' | 'id'>,
  dimension: number,
): { call: ShardedCallOptions; question: Asked } {
  const { signal, timeout, filter, ...others } = options
  return {
    call: callOf(signal, timeout),
    question: captured(about, filter, others, dimension),
  }
}

/** Captures the arguments of `search`. Returns undefined if they are a plain search for the nearest vectors. */
export function captureQuestion(query: unknown, options: unknown, dimension: number) {
  // A proxy around an array passes for a plain object.
  if (reading('the query', () => isPlainObject(query) && !('length' in query))) {
    const { vector, text } = checkOptions(query as { vector?: unknown; text?: unknown }, QUERY, 'search: the question')
    const about = { text, ...(vector !== undefined && { vector: captureQuery(vector, dimension) }) }
    return argued(asked(checkOptions(options as QuestionOptions, SHARDED_QUESTION, 'search'), about, dimension))
  }
  const vector = captureQuery(query, dimension)
  const checked = checkOptions(options as VectorSearchOptions, SHARDED_VECTOR, 'search')
  return isShaped(checked) ? argued(asked(checked, { vector }, dimension)) : undefined
}

const argued = ({ call, question }: ReturnType<typeof asked>): { call: ShardedCallOptions; args: QueryArgs } => ({
  call,
  args: argsOf(question),
})

export function captureSimilar(collection: unknown, id: unknown, options: unknown, dimension: number) {
  checkString(id, () => 'the id')
  const about = { collection: collectionName(collection), id }
  return argued(asked(checkOptions(options as SimilarOptions, SHARDED_SIMILAR, 'similar'), about, dimension))
}

export function captureList(collection: unknown, options: unknown, dimension: number) {
  const about = { collection: collectionName(collection) }
  const { call, question } = asked(checkOptions(options as ListOptions, SHARDED_LIST, 'list'), about, dimension)
  return { call, args: listArgs(question) }
}

/** Returns the settings that a caller gave. Null: none. */
export const captureTexts = (text: unknown): TextSettings | null =>
  text === null ? null : reading('text', () => settingsOf(snapshot(text)))
