import type { SyncAccessHandle } from './segment.js'

/** A pair of sinks: `data` (rows) and `log` (operations). */
export interface StoreFiles {
  data: SyncAccessHandle
  log: SyncAccessHandle
}

/**
 * Where a store lives. Write your own for another medium: it runs in the caller's thread. Every handle is closed by the store, once;
 * `close` of the host comes after.
 */
export interface StorageHost {
  readonly kind: string
  /** The sinks only buffer, and `commit` applies everything in one transaction. */
  readonly transactional?: boolean
  /**
   * Takes the lock (reject with a `NidusError` of code `LOCKED` if another holds it) and returns the current pair, empty sinks for a new store.
   * `mustExist`: reject with `NOT_FOUND` instead of creating. `readOnly`: take no lock and change nothing.
   */
  open(mode: { readOnly: boolean; mustExist: boolean }): Promise<StoreFiles>
  /** A fresh, empty pair that nothing points at yet. */
  create(): Promise<StoreFiles>
  /** The one atomic step that makes a pair from `create`, complete and flushed, the current one. If it rejects, the store is `FAILED`. */
  promote(files: StoreFiles): Promise<void>
  /**
   * Resolves once everything written so far is durable. A transactional host that rejects has applied nothing,
   * unless the error is a `NidusError` of code `OUTCOME_UNKNOWN`. For any other host a rejection means that the outcome is unknown.
   */
  commit(): Promise<void>
  /** Releases the lock. `open` may follow. */
  close(): Promise<void>
  /** Removes the store, which is closed. */
  destroy(): Promise<void>
  /**
   * Between the slices of a compaction or an import: writes out what the sinks of `create` have buffered, so that it need not all be in memory at once; with `all`, to the last byte, since an import reads
   * back what it wrote before `promote`. Needed only where the sinks cannot read what they have buffered.
   */
  drain?(all?: boolean): Promise<void>
}
