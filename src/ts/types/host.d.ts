import type { SyncAccessHandle } from './segment.js'

/** The two files of a store: `data` holds the rows, `log` holds the operations. */
export interface StoreFiles {
  data: SyncAccessHandle
  log: SyncAccessHandle
}

/**
 * The place where a store is kept. Write your own host for a storage that the package does not know. It runs in the
 * caller's thread. The store closes every handle once, and calls the host's `close` after that.
 */
export interface StorageHost {
  /** The name of this kind of storage. `db.storage` returns it. */
  readonly kind: string
  /** True: the handles only buffer what is written, and `commit` applies all of it in one transaction. */
  readonly transactional?: boolean
  /**
   * Takes the lock and returns the current files. For a new store both are empty.
   *
   * Rejects with a `NidusError` of code `LOCKED` if somebody else holds the lock. With `mustExist`, rejects with
   * `NOT_FOUND` instead of creating a store. With `readOnly`, takes no lock and changes nothing.
   */
  open(mode: { readOnly: boolean; mustExist: boolean }): Promise<StoreFiles>
  /** Returns two new, empty files. They are not part of the store until `promote`. */
  create(): Promise<StoreFiles>
  /**
   * Makes the files from `create`, complete and flushed, the current ones, in one atomic step. If this rejects, the
   * store is `FAILED`.
   */
  promote(files: StoreFiles): Promise<void>
  /**
   * Resolves once everything written so far is durable.
   *
   * If a transactional host rejects, it must have applied nothing, unless the error is a `NidusError` of code
   * `OUTCOME_UNKNOWN`. If any other host rejects, the store takes the outcome as unknown.
   */
  commit(): Promise<void>
  /** Releases the lock. `open` may be called again afterwards. */
  close(): Promise<void>
  /** Removes the store. It is closed when this is called. */
  destroy(): Promise<void>
  /**
   * Writes out what the handles of `create` have buffered. A compaction and an import call this between their steps, so
   * that memory need not hold all the new bytes at once. With `all`, writes every byte, because an import reads its
   * bytes back before `promote`. Needed only if the handles cannot read what they have buffered.
   */
  drain?(all?: boolean): Promise<void>
}
