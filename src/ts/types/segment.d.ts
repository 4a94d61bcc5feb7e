/// <reference path="./platform.d.ts" />
/**
 * `nidus-wasm/segment`: a file of vectors, without ids, attributes or a log. All calls are synchronous. Use it in
 * workers, edge functions and command lines. Every method throws a {@link NidusError} if it fails.
 */

/**
 * The codes of all errors:
 *
 * - `INVALID_ARGUMENT`: an argument has a wrong type or value. The message names it.
 * - `DIMENSION_MISMATCH`: a vector has another length than the store's dimension, or the store another dimension than
 *   was given. Another model makes other vectors: use another store for it.
 * - `NOT_FOUND`: the store, collection or record does not exist.
 * - `ALREADY_EXISTS`: there is a store with this name. Use another name, or ask for its replacement.
 * - `READ_ONLY`: the store was opened read-only and takes no writes.
 * - `LOCKED`: another process, tab or worker has the store open. Close it there.
 * - `CLOSED`: the store was closed.
 * - `FAILED`: a write failed so that it is unknown what the files hold. Open the store again. Or a file of the package
 *   could not be loaded: then only the call that needs it fails.
 * - `CAPACITY`: a limit is reached. The message names it. Some limits are options of `open`.
 * - `OUT_OF_MEMORY`: there is not enough memory. `memory: 'compact'` needs less.
 * - `QUOTA_EXCEEDED`: the disk or the browser's quota is full. Free some space and try again.
 * - `STORAGE_UNAVAILABLE`: this kind of storage does not exist here, or is denied.
 * - `STORAGE_FAILED`: the storage failed to read or write. The cause says why.
 * - `OUTCOME_UNKNOWN`: it is unknown whether a write was made. It was made whole or not at all.
 * - `CORRUPT`: the store is damaged, and nothing was changed. `Nidus.salvage` copies what is good.
 * - `UNSUPPORTED`: this runtime or storage lacks something that the call needs. The message names it.
 * - `UNSUPPORTED_VERSION`: a newer version wrote the store. Use that version.
 * - `ABORTED`: the caller's signal aborted the call before it had an effect.
 * - `WORKER_FAILED`: a worker could not be started, or it failed. Open the store again.
 * - `BUSY`: too many calls are under way in a sharded store. Try again later.
 * - `EMBEDDER_MISMATCH`: an index of texts has vectors of another model. Open it with that model and call `reembed`.
 * - `EMBEDDER_FAILED`: an embedder failed, or did not return one vector of finite numbers for each text.
 * - `CALLBACK_FAILED`: a function or an iterable that you passed threw an error. The cause is that error.
 * - `SHARD_FAILED`: a shard of a sharded store did not answer, or not in time.
 */
export type NidusErrorCode =
  | 'INVALID_ARGUMENT'
  | 'DIMENSION_MISMATCH'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'READ_ONLY'
  | 'LOCKED'
  | 'CLOSED'
  | 'FAILED'
  | 'CAPACITY'
  | 'OUT_OF_MEMORY'
  | 'QUOTA_EXCEEDED'
  | 'STORAGE_UNAVAILABLE'
  | 'STORAGE_FAILED'
  | 'OUTCOME_UNKNOWN'
  | 'CORRUPT'
  | 'UNSUPPORTED'
  | 'UNSUPPORTED_VERSION'
  | 'ABORTED'
  | 'WORKER_FAILED'
  | 'BUSY'
  | 'SHARD_FAILED'
  | 'EMBEDDER_MISMATCH'
  | 'EMBEDDER_FAILED'
  | 'CALLBACK_FAILED'

/**
 * The error that every call of this package throws or rejects with. Decide by its `code`. The `message` is for people.
 * If the storage threw an error, that error is the `cause`.
 */
export class NidusError extends Error {
  constructor(code: NidusErrorCode, message: string, options?: { cause?: unknown })
  /** The kind of the error, for programs to decide by. */
  readonly code: NidusErrorCode
  /** The numbers of the shards that the error is about. Only errors of a sharded store have it. */
  readonly shards?: number[]
  /** The ids of the documents that the error is about. Only errors of an index of texts have it. */
  readonly documents?: string[]
}

/**
 * A file that a store or a segment reads and writes: the web's `FileSystemSyncAccessHandle`, or an object with the same
 * methods. All calls except `readAsync` are synchronous. Offsets and lengths are in bytes.
 *
 * A real OPFS handle gets a buffer that is valid only during the call. Every other object gets a copy, which it may
 * keep.
 */
export interface SyncAccessHandle {
  /**
   * Fills `buffer` with the bytes from `at` on. Returns how many bytes there were: fewer than asked for only at the
   * end, 0 after it. An object that cannot read synchronously has `readAsync` instead.
   */
  read?(buffer: Uint8Array, options: { at: number }): number
  /**
   * Resolves with the `length` bytes from `at` on: fewer only at the end. Needed if there is no `read`. `signal` aborts
   * once nobody waits for the bytes any more: the search was aborted, or the store is being closed. `close` waits for a
   * read for a second.
   */
  readAsync?(at: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  /** Writes all of `buffer` at `at`. Returns its length. A smaller number counts as a failure. */
  write(buffer: Uint8Array, options: { at: number }): number
  /** Sets the length of the file to `size` bytes. */
  truncate(size: number): void
  /** Makes everything that was written so far durable, before anything that is written later. */
  flush(): void
  /** Returns the length of the file in bytes. */
  getSize(): number
  /** Releases the file. */
  close(): void
}

/**
 * A replacement for the package's own `.wasm` file: its address, a response that brings it, its bytes, or the module.
 */
export type WasmSource = string | URL | Response | ArrayBuffer | ArrayBufferView | WebAssembly.Module

/**
 * Loads the wasm, once for each thread. Wait for this before you make the first {@link Segment}. If it fails, it may be
 * called again.
 */
export function init(wasm?: WasmSource): Promise<void>

/** A row that a search found. */
export interface SegmentHit {
  /** The index of the row. */
  row: number
  /**
   * The dot product of the row and the query, which is scaled to length 1 first. If the row has length 1, this is the
   * cosine similarity.
   */
  score: number
}

/**
 * A file of rows of `dimension` 32-bit floats, behind a header of 64 bytes. This is the format of native nidus's `data`
 * file.
 *
 * ```js
 * await init()
 * const segment = Segment.open(await fileHandle.createSyncAccessHandle(), { dimension: 384 })
 * segment.append(vectors) // Float32Array of n * 384
 * segment.sync()
 * const best = segment.search(query, { topK: 5 })
 * segment.close()
 * ```
 */
export class Segment {
  private constructor()
  /**
   * Opens the segment that a file holds. If the file is empty, begins a new segment in it. The segment owns the file
   * from now on, and `close` closes it.
   */
  static open(sink: SyncAccessHandle, options: { dimension: number }): Segment
  /** Makes a new segment that is kept in memory only. */
  static inMemory(dimension: number): Segment
  /** The number of numbers in a row. */
  readonly dimension: number
  /** The number of rows. */
  readonly rowCount: number
  /**
   * Appends rows as they are, without scaling them to length 1. Appends all of them or, if it throws, none. Returns the
   * index of the first new row. The rows are durable after {@link Segment.sync}.
   */
  append(vectors: Float32Array): number
  /** Returns a copy of row `i`. */
  row(i: number): Float32Array
  /**
   * Finds the `topK` rows with the highest scores, best first. Rows with the same score are ordered by index. By
   * default `topK` is 10, and there is no `minScore`.
   */
  search(query: Float32Array, options?: { topK?: number; minScore?: number }): SegmentHit[]
  /**
   * Removes all rows but the first `rows`. If the file cannot be cut, all later changes throw `FAILED`: open the
   * segment again.
   */
  truncateTo(rows: number): void
  /** Returns once everything that was appended is durable. */
  sync(): void
  /**
   * Replaces all rows by `rows` (a whole number of rows): writes them to a new file, goes on with that file, and closes
   * the old one.
   */
  rewriteTo(sink: SyncAccessHandle, rows: Float32Array): void
  /** Releases the memory and closes the file, without `sync`. Further calls do nothing. */
  close(): void
}
