import type { StorageHost } from './index.js'

/** What is used of a Durable Object's `ctx.storage`, which must be SQLite-backed. */
export interface DurableStorage {
  readonly sql: { exec(query: string, ...bindings: any[]): Iterable<Record<string, any>> }
  transactionSync<T>(work: () => T): T
  sync(): Promise<void>
}

export interface DurableObjectOptions {
  /** Several stores fit in one object, each under a name. Default: `'default'`. */
  name?: string
}

/**
 * A store in a Durable Object's SQLite:
 *
 * ```js
 * const db = await Nidus.open('notes', { dimension: 384, storage: durableObject(ctx.storage) })
 * ```
 *
 * Writes are acknowledged after `storage.sync()`. The tables are called `nidus_...`; leave them alone while a store is open. What is opened twice at a time is `LOCKED`.
 *
 * Do not write within `storage.transaction()` or `transactionSync()`: what they roll back is gone, although it was acknowledged, and the store is `FAILED` at its next write. Within
 * `ctx.blockConcurrencyWhile()` do not wait for a store that another event is writing to: neither would end.
 */
export function durableObject(storage: DurableStorage, options?: DurableObjectOptions): StorageHost
