import { NidusError } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import { checkMinScore, checkSignal, checkTopK } from '../arguments/input.js'
import { RECORD, SEARCH, checkKeys, type KeysOf } from '../arguments/keys.js'
import { checkDimension, checkName, checkOptions } from '../arguments/options.js'
import type { Attrs, AttrsOf, Filter, RecordInput, SearchOptions } from '../types/index.js'
import type { ShardedCallOptions, ShardedEnv, ShardedOptions } from '../types/sharded.js'
import { Writer, checkString, describe, isPlainObject } from '../core/wire.js'
import { MOST_SHARDS } from './layout.js'
import { ShardedError, type Sent, type Wanted } from './protocol.js'

const ENV = { router: 1, shards: 1 } satisfies KeysOf<ShardedEnv>
const CALL = { signal: 1, timeout: 1 } satisfies KeysOf<ShardedCallOptions>
const SHARDED = { dimension: 1, shards: 1, timeout: 1 } satisfies KeysOf<ShardedOptions>
const SHARDED_SEARCH = { ...SEARCH, ...CALL }

const refuse = (message: string): never => {
  throw new ShardedError('INVALID_ARGUMENT', message)
}

/** Makes every error a `ShardedError`. What getters or a Proxy of the caller throw becomes INVALID_ARGUMENT. */
function coded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ShardedError) throw error
    if (error instanceof NidusError) throw new ShardedError(error.code, error.message, [], { cause: error })
    throw new ShardedError(
      'INVALID_ARGUMENT',
      `an argument cannot be read: ${(error as Error)?.message ?? error}`,
      [],
      { cause: error },
    )
  }
}

const optionsOf = <T extends object>(options: T | undefined, known: KeysOf<T>, place: string): Partial<T> =>
  coded(() => checkOptions(options, known, place))

export function checkEnv(env: ShardedEnv, name: string, options: ShardedOptions) {
  coded(() => {
    if (typeof env !== 'object' || env === null)
      refuse(`ShardedNidus takes the namespaces { router, shards } first, not ${describe(env)}`)
    checkKeys(env, ENV, 'the namespaces of ShardedNidus')
    for (const key of ['router', 'shards'] as const) {
      const { get, idFromName } = env[key] ?? {}
      if (typeof get !== 'function' || typeof idFromName !== 'function')
        refuse(
          `ShardedNidus: ${key} must be a Durable Object namespace (a binding from your wrangler configuration), ` +
            `not ${describe(env[key])}`,
        )
    }
    checkName(name)
  })
  const { dimension, shards, timeout } = optionsOf(options, SHARDED, 'ShardedNidus')
  checkTimeout(timeout)
  if (shards !== undefined) checkShards(shards)
  return { dimension: coded(() => checkDimension(dimension)), shards, timeout }
}

export function checkShards(shards: unknown) {
  if (!Number.isInteger(shards) || (shards as number) < 1 || (shards as number) > MOST_SHARDS)
    refuse(`shards must be an integer from 1 to ${MOST_SHARDS}, not ${describe(shards)}`)
}

function checkTimeout(timeout: unknown) {
  // A timer takes at most 31 bits.
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0 && timeout < 2 ** 31))
    refuse(`timeout must be a number of milliseconds above 0 and up to 2147483647, not ${describe(timeout)}`)
}

export function checkCall(options: ShardedCallOptions | undefined, method: string): ShardedCallOptions {
  const { signal, timeout } = optionsOf(options, CALL, method)
  return callOf(signal, timeout)
}
function callOf(given: unknown, timeout: number | undefined): ShardedCallOptions {
  const signal = coded(() => checkSignal(given))
  checkTimeout(timeout)
  return { ...(signal && { signal }), ...(timeout !== undefined && { timeout }) }
}

export function checkCollection(collection: unknown): string {
  coded(() => checkString(collection, () => "the collection's name"))
  return collection as string
}

/**
 * Returns the items of anything that can be iterated over. A string is refused: iterating over it would give its
 * characters, which nobody means.
 */
export function listOf<T>(items: Iterable<T>, what: string): T[] {
  return coded(() => {
    if (typeof items !== 'object' || typeof items?.[Symbol.iterator] !== 'function')
      refuse(`${what}, not ${describe(items)}`)
    return [...items]
  })
}

export function checkIds(ids: Iterable<string>): string[] {
  const all = listOf(ids, 'ids must be an array of strings, or another iterable of them')
  coded(() => all.forEach((id, i) => checkString(id, () => `ids[${i}]`)))
  return all
}

/** Only undefined means that there is no filter. Any other value that is no filter is an error. */
export const checkFilter = (filter: unknown) => void coded(() => encodeFilter(filter))

export function checkSearch<A extends AttrsOf<A>>(
  options: (SearchOptions<A> & ShardedCallOptions) | undefined,
  method: string,
): ShardedCallOptions & { wanted: Wanted } {
  const { collections, topK, minScore, filter, withVectors, signal, timeout } = optionsOf(
    options,
    SHARDED_SEARCH,
    method,
  ) as Partial<SearchOptions<A> & ShardedCallOptions>
  checkFilter(filter)
  if (collections !== undefined)
    for (const name of Array.isArray(collections) ? collections : [collections]) checkCollection(name)
  coded(() => checkMinScore(minScore))
  const wanted: Wanted = {
    topK: coded(() => checkTopK(topK)),
    ...(minScore !== undefined && { minScore }),
    ...(filter !== undefined && { filter: filter as Filter }),
    ...(withVectors !== undefined && { withVectors }),
    ...(collections !== undefined && { collections }),
  }
  return { ...callOf(signal, timeout), wanted }
}

/** Returns a copy. */
export function checkVector(vector: ArrayLike<number>, dimension: number, who: () => string): Float32Array {
  return coded(() => {
    if (typeof vector !== 'object' || vector === null || typeof vector.length !== 'number')
      refuse(`${who()} must be an array of numbers, not ${describe(vector)}`)
    if (vector.length !== dimension)
      throw new ShardedError(
        'DIMENSION_MISMATCH',
        `${who()} has ${vector.length} numbers, the store's dimension is ${dimension}`,
      )
    return Float32Array.from({ length: dimension }, (_, i) => {
      const number: unknown = vector[i]
      if (typeof number !== 'number' || !Number.isFinite(Math.fround(number)))
        refuse(`${who()}: number ${i} is ${describe(number)}; it must be finite, also as a 32-bit float`)
      return number as number
    })
  })
}

export function checkRecord<A extends AttrsOf<A>>(record: RecordInput<A>, i: number, dimension: number): Sent {
  return coded(() => {
    if (!isPlainObject(record)) refuse(`record ${i} must be an object with id and vector, not ${describe(record)}`)
    const { id, vector, attrs } = record
    const who = () => `record ${i} (id ${describe(id)})`
    checkKeys(record, RECORD, who)
    checkString(id, () => `record ${i}: id`)
    // Writes the attributes as a store does. So a wrong one is refused here, with the number of its record, and not by
    // a shard.
    new Writer().attrs(attrs, who)
    return {
      id,
      vector: checkVector(vector, dimension, () => `${who()}: vector`),
      ...(attrs !== undefined && { attrs: attrs as Attrs }),
    }
  })
}
