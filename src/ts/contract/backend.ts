import type { Args, FileName, Method, Result } from './calls.js'
import type { NidusError } from '../errors/errors.js'
import type { Ticket } from './tickets.js'
import type { CloseReason, RecoveryReport, StorageKind } from '../types/index.js'

/**
 * Returns the next piece of an import's bytes. A piece has at most 4 MiB and a buffer of its own, and the pieces of
 * each file come in order. After the last piece every call returns undefined.
 */
export type Parts = () => Promise<{ file: FileName; bytes: Uint8Array } | undefined>
export interface Source {
  parts: Parts
  replace: boolean
}

export interface CallOptions {
  signal?: AbortSignal | undefined
  onProgress?: ((done: number, total: number) => void) | undefined
  /** The ticket of a write that may have to be sent again. */
  ticket?: Ticket | undefined
  /** The opening in another tab that made the call. Undefined for calls of the tab that has the engine. */
  from?: string | undefined
  /**
   * Given with an upsert whose vectors are the caller's own. The store calls it, to have a copy of them, unless it has
   * taken them in before the call returns.
   */
  keep?: (() => Float32Array) | undefined
}

/** A store as the public API sees it: in this thread or in a worker. */
export interface Backend {
  readonly dimension: number
  /** The kind of storage. */
  readonly storage: string
  readonly recovery: RecoveryReport
  readonly closed: Promise<CloseReason>
  /** Called when an automatic compaction fails after the opening. `recovery` has the error, too. */
  onCompactionError?: (error: NidusError) => void
  /** True if it uses `keep`. */
  readonly borrows?: boolean
  call<M extends Method>(method: M, args: Args<M>, options?: CallOptions): Promise<Result<M>>
  close(): Promise<void>
}

/** How to open a store: the options, checked and with every default filled in. */
export interface OpenSpec {
  name: string
  /** Undefined: the runtime chooses, once for each store. */
  storage: StorageKind | 'own' | undefined
  dimension: number | undefined
  readOnly: boolean
  relaxed: boolean
  /** The share of dead rows above which the store is compacted. Infinity: never. */
  autoCompact: number
  maxVectorBytes: number | undefined
  compat: string | undefined
  /** True if rows that have codes are not kept in memory. */
  compactMemory: boolean
  /** How many threads search, this one included. */
  workers: number
  /** True if other tabs may have the store open, too. */
  multiTab: boolean
  /** The sender in the tickets of the page's writes. Undefined: the page makes no tickets. */
  sender?: string
}

export interface SalvageSpec {
  name: string
  into: string
  dimension: number | undefined
}
