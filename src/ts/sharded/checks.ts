import { NidusError } from '../errors.js'
import { checkMinScore, checkSignal, checkTopK } from '../input.js'
import { RECORD, SEARCH, checkKeys, type KeysOf, type Known } from '../keys.js'
import type { AttrsOf, Filter, RecordInput, SearchOptions } from '../types/index.js'
import type { ShardedCallOptions, ShardedEnv, ShardedOptions } from '../types/sharded.js'
import { describe, isPlainObject } from '../wire.js'
import { ShardedError, type Wanted } from './words.js'

const CALL = { signal: 1, timeout: 1 } satisfies KeysOf<ShardedCallOptions>
const SHARDED = { dimension: 1, shards: 1, timeout: 1 } satisfies KeysOf<ShardedOptions>
const SHARDED_SEARCH = { ...SEARCH, ...CALL }

const refuse = (message: string): never => {
  throw new ShardedError('INVALID_ARGUMENT', message)
}

/** Every error here is of one class. */
function coded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof NidusError) throw new ShardedError(error.code, error.message, [], { cause: error })
    throw error
  }
}

function optionsOf<T extends object>(options: T | undefined, known: Known, place: string): Partial<T> {
  if (options === undefined) return {}
  if (!isPlainObject(options)) refuse(`${place}: options must be an object, not ${describe(options)}`)
  coded(() => checkKeys(options, known, place, 'option'))
  return options
}

export function checkEnv(env: ShardedEnv, name: string, options: ShardedOptions): Partial<ShardedOptions> & { dimension: number } {
  if (!env?.router || !env.shards) refuse('a sharded store wants the namespaces { router, shards }')
  if (typeof name !== 'string' || name === '') refuse('the name of a store is a string, and not empty')
  const { dimension, shards, timeout } = optionsOf(options, SHARDED, 'ShardedNidus')
  checkTimeout(timeout)
  return { dimension: dimension!, ...(shards !== undefined && { shards }), ...(timeout !== undefined && { timeout }) }
}

function checkTimeout(timeout: unknown) {
  // A timer holds 31 bits.
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0 && timeout < 2 ** 31)) refuse(`timeout must be a number of milliseconds, not ${describe(timeout)}`)
}

export function checkCall(options: ShardedCallOptions | undefined): ShardedCallOptions {
  const { signal, timeout } = optionsOf(options, CALL, 'the call')
  return callOf(signal, timeout)
}
function callOf(given: unknown, timeout: number | undefined): ShardedCallOptions {
  const signal = coded(() => checkSignal(given))
  checkTimeout(timeout)
  return { ...(signal && { signal }), ...(timeout !== undefined && { timeout }) }
}

/** Absent is undefined alone: what else is no filter was meant to be one. */
export function checkFilter(filter: unknown) {
  if (filter !== undefined && !isPlainObject(filter)) refuse(`the filter must be an object, not ${describe(filter)}`)
}

export function checkSearch<A extends AttrsOf<A>>(options: (SearchOptions<A> & ShardedCallOptions) | undefined): ShardedCallOptions & { wanted: Wanted } {
  const { collections, topK, minScore, filter, withVectors, signal, timeout } = optionsOf(options, SHARDED_SEARCH, 'search') as Partial<SearchOptions<A> & ShardedCallOptions>
  checkFilter(filter)
  coded(() => checkMinScore(minScore))
  const wanted: Wanted = {
    topK: coded(() => checkTopK(topK)),
    ...(minScore !== undefined && { minScore }),
    ...(filter !== undefined && { filter: filter as Filter }),
    ...(withVectors !== undefined && { withVectors }),
    ...(collections !== undefined && { collections: collections as string | string[] }),
  }
  return { ...callOf(signal, timeout), wanted }
}

export function checkRecord<A extends AttrsOf<A>>(record: RecordInput<A>, i: number): RecordInput<A> {
  if (!isPlainObject(record)) refuse(`record ${i} must be an object with id and vector, not ${describe(record)}`)
  const { id, attrs } = record
  if (typeof id !== 'string') refuse(`record ${i}: an id is a string, not ${describe(id)}`)
  const who = () => `record ${i} (id ${describe(id)})`
  coded(() => checkKeys(record, RECORD, who))
  if (attrs !== undefined && !isPlainObject(attrs)) refuse(`${who()}: attrs must be an object, not ${describe(attrs)}`)
  return record
}
