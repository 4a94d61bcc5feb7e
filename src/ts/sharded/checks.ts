import { invalid, reading } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import {
  captureBatch,
  captureQueries,
  checkMinScore,
  checkSignal,
  checkTopK,
  checkVector,
  collectionNames,
  recordName,
} from '../arguments/input.js'
import { SEARCH, checkKeys, type KeysOf } from '../arguments/keys.js'
import { checkDimension, checkName, checkOptions } from '../arguments/options.js'
import type { AttrsOf } from '../types/index.js'
import type { ShardedCallOptions, ShardedEnv, ShardedOptions, ShardedSearchOptions } from '../types/sharded.js'
import { Reader, describe } from '../core/wire.js'
import { MOST_SHARDS } from './layout.js'
import type { Sent, Wanted } from './protocol.js'
import { checkSize } from './sizes.js'

const ENV = { router: 1, shards: 1 } satisfies KeysOf<ShardedEnv>
const CALL = { signal: 1, timeout: 1 } satisfies KeysOf<ShardedCallOptions>
const SHARDED = { dimension: 1, shards: 1, timeout: 1 } satisfies KeysOf<ShardedOptions>
const SHARDED_SEARCH = { ...SEARCH, ...CALL }

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
): ShardedCallOptions & { wanted: Wanted } {
  const { collections, topK, minScore, filter, withVectors, signal, timeout } = checkOptions<ShardedSearchOptions<A>>(
    options,
    SHARDED_SEARCH,
    method,
  )
  checkFilter(filter)
  const names = collectionNames(collections)
  checkMinScore(minScore)
  const wanted: Wanted = {
    topK: checkTopK(topK),
    ...(minScore !== undefined && { minScore }),
    ...(filter !== undefined && { filter: filter }),
    ...(withVectors !== undefined && { withVectors }),
    ...(names && { collections: names }),
  }
  return { ...callOf(signal, timeout), wanted }
}

/** Returns copies of the vectors that stand one behind the other. A part of their memory would take all of it along. */
const apart = (vectors: Float32Array, dimension: number): Float32Array[] =>
  Array.from({ length: vectors.length / dimension }, (_, i) => vectors.slice(i * dimension, (i + 1) * dimension))

/** Returns copies of the queries, each by itself. */
export const queriesApart = (queries: unknown, dimension: number): Float32Array[] =>
  apart(captureQueries(queries, dimension), dimension)

/**
 * Returns copies of the records, each by itself, because they go to several shards. A wrong one is refused here, with
 * its number in the batch, and not by a shard.
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
