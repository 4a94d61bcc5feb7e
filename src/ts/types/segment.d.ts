/**
 * `nidus-wasm/segment`: the data segment alone. Synchronous: for workers, edge functions and command lines.
 * Every method throws {@link NidusError}.
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

/** Every error of this package. Decide by `code`; `message` is for people; `cause` is what the medium threw, where it threw. */
export class NidusError extends Error {
  constructor(code: NidusErrorCode, message: string, options?: { cause?: unknown })
  readonly code: NidusErrorCode
}

/**
 * What a sink must look like: the web's `FileSystemSyncAccessHandle`, or anything of that shape. All synchronous, offsets and lengths in bytes.
 *
 * A sink may be given the same buffer's memory only for the time of the call, or (sinks other than real OPFS handles) a copy that is its to keep.
 */
export interface SyncAccessHandle {
  /** Fills `buffer` from `at`; returns how many bytes there were (0 at the end). A medium that cannot read synchronously has `readAsync` instead. */
  read?(buffer: Uint8Array, options: { at: number }): number
  /**
   * The `length` bytes from `at`; fewer only at the end. Needed where `read` is missing. `signal` aborts when nobody waits for them any more: the search was aborted, or the store is
   * being closed, which waits a second for a read.
   */
  readAsync?(at: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  /** Writes all of `buffer` at `at` and returns its length. Fewer is taken for a failure. */
  write(buffer: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  /** Everything written before is on the medium before anything written after. */
  flush(): void
  getSize(): number
  close(): void
}

/** Where the `.wasm` comes from when the default (the file beside the package's own code) does not suit. */
export type WasmSource = string | URL | Response | BufferSource | WebAssembly.Module

/** Loads the wasm, once for the thread; needed before the first {@link Segment}. A load that failed can be tried again. */
export function init(wasm?: WasmSource): Promise<void>

export interface SegmentHit {
  row: number
  /** Dot product of the normalized query and the row as it is: the cosine, if the row was normalized. */
  score: number
}

/**
 * Rows of `dimension` f32 after a 64-byte header: native nidus's `data` file.
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
  /** Opens what the sink holds, or begins a new segment in an empty one. The sink belongs to the segment from here on; `close` closes it. */
  static open(sink: SyncAccessHandle, options: { dimension: number }): Segment
  static inMemory(dimension: number): Segment
  readonly dimension: number
  readonly rowCount: number
  /** All rows or none, as given (not normalized). Returns the index of the first new row. Durable after {@link Segment.sync}. */
  append(vectors: Float32Array): number
  /** A copy of row `i`. */
  row(i: number): Float32Array
  /** Best first; equal scores by row. `topK` is 10 if not given. */
  search(query: Float32Array, options?: { topK?: number; minScore?: number }): SegmentHit[]
  /** Keeps the first `rows` rows. When the file cannot be cut, later changes are `FAILED`: open it again. */
  truncateTo(rows: number): void
  /** Resolves to nothing once everything appended is on the medium, or throws. */
  sync(): void
  /** Writes exactly `rows` (a whole number of rows) to a fresh sink and goes on over that one; the old sink is closed. */
  rewriteTo(sink: SyncAccessHandle, rows: Float32Array): void
  /** Releases the memory and closes the sink. Does not sync. Idempotent. */
  close(): void
}
