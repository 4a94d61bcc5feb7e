import type { StorageHost } from './index.js'

/** The parts of a Durable Object's `ctx.storage` that a store uses. The object must be SQLite-backed. */
export interface DurableStorage {
  readonly sql: { exec(query: string, ...bindings: any[]): Iterable<Record<string, any>> }
  transactionSync<T>(work: () => T): T
  sync(): Promise<void>
}

export interface DurableObjectOptions {
  /** The store's name within the object. Default: the name given to `open`. */
  name?: string
}

/**
 * Returns the storage host for a store in a Durable Object's SQLite database:
 *
 * ```js
 * const db = await Nidus.open('notes', { dimension: 384, storage: durableObject(ctx.storage) })
 * ```
 *
 * One object can hold several stores. The name given to `open` (or `import`, `salvage`, `destroy`) tells them apart.
 * Version 0.1 ignored that name and called the store `default`. Such a store can still be opened by any name, as long
 * as the object has no other store of that name.
 *
 * A write is acknowledged after `storage.sync()`. The tables are called `nidus_...`. Do not change them while a store
 * is open. Opening a store twice at the same time fails with `LOCKED`.
 *
 * Do not write to a store within `storage.transaction()` or `transactionSync()`. If such a transaction is rolled back,
 * the write is lost although it was acknowledged, and the store's next write fails with `FAILED`.
 *
 * Within `ctx.blockConcurrencyWhile()`, do not wait for a store that another event is writing to. Each of the two would
 * wait for the other without end.
 */
export function durableObject(storage: DurableStorage, options?: DurableObjectOptions): StorageHost

/**
 * Returns the code (`NOT_FOUND`, `BUSY`, ...) of an error that reached its caller over RPC from a method of an object.
 * Returns undefined if the error did not come from a store.
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
 * Errors keep `error.code` with a `compatibility_date` of 2026-04-21 or later, or with the flag
 * `enhanced_error_serialization`. Without these, `codeOf` reads the code from the beginning of the message.
 */
export function codeOf(error: unknown): string | undefined
