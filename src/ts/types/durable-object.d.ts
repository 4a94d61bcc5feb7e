import type { StorageHost } from './index.js'

/** What is used of a Durable Object's `ctx.storage`, which must be SQLite-backed. */
export interface DurableStorage {
  readonly sql: { exec(query: string, ...bindings: any[]): Iterable<Record<string, any>> }
  transactionSync<T>(work: () => T): T
  sync(): Promise<void>
}

export interface DurableObjectOptions {
  /** The store's name within the object, if it is another than the one given to `open`. */
  name?: string
}

/**
 * A store in a Durable Object's SQLite:
 *
 * ```js
 * const db = await Nidus.open('notes', { dimension: 384, storage: durableObject(ctx.storage) })
 * ```
 *
 * Several stores fit in one object, each under its name: the one that `open` (`import`, `salvage`, `destroy`) is given. Until version 0.1 that one meant nothing, and a store was called `default`: one that was made then goes by any
 * name, as long as the object has none of the name that is asked for.
 *
 * Writes are acknowledged after `storage.sync()`. The tables are called `nidus_...`; leave them alone while a store is open. What is opened twice at a time is `LOCKED`.
 *
 * Do not write within `storage.transaction()` or `transactionSync()`: what they roll back is gone, although it was acknowledged, and the store is `FAILED` at its next write. Within
 * `ctx.blockConcurrencyWhile()` do not wait for a store that another event is writing to: neither would end.
 */
export function durableObject(storage: DurableStorage, options?: DurableObjectOptions): StorageHost

/**
 * The code (`NOT_FOUND`, `BUSY`, ...) of an error that an object's method threw, for whoever called it over RPC:
 *
 * ```js
 * try {
 *   return await env.NOTES.getByName('all').search(query)
 * } catch (error) {
 *   if (codeOf(error) === 'DIMENSION_MISMATCH') return new Response('another model?', { status: 400 })
 *   throw error
 * }
 * ```
 *
 * `error.code` says it where errors keep their properties (a `compatibility_date` of 2026-04-21 or later, or the flag `enhanced_error_serialization`). Where they do not, the message begins with it. Undefined: the error is none of a store's.
 */
export function codeOf(error: unknown): string | undefined
