import type { Args, FileName, Method, Result } from './calls.js'
import type { NidusError } from '../errors/errors.js'
import type { Ticket } from './tickets.js'
import type { CloseReason, RecoveryReport, StorageKind } from '../types/index.js'

/**
 * What an import takes its bytes from: pieces of at most 4 MiB, each file's in order, each in a buffer of its own; then
 * undefined, as often as it is asked.
 */
export type Parts = () => Promise<{ file: FileName; bytes: Uint8Array } | undefined>
export interface Source {
  parts: Parts
  replace: boolean
}

export interface CallOptions {
  signal?: AbortSignal | undefined
  onProgress?: ((done: number, total: number) => void) | undefined
  /** Of a write that may have to be asked again. */
  ticket?: Ticket | undefined
  /**
   * Of an upsert: its vectors are the caller's own, as they are now. Unless they are taken up before the call returns,
   * this makes a copy of them.
   */
  keep?: (() => Float32Array) | undefined
}

/** A store as the public API sees it: in this thread or in a worker. */
export interface Backend {
  readonly dimension: number
  /** The kind in use. */
  readonly storage: string
  readonly recovery: RecoveryReport
  readonly closed: Promise<CloseReason>
  /** Called when a compaction that nobody asked for fails, after the opening; `recovery` tells it then. */
  onCompactionError?: (error: NidusError) => void
  /** It knows `keep`. */
  readonly borrows?: boolean
  call<M extends Method>(method: M, args: Args<M>, options?: CallOptions): Promise<Result<M>>
  close(): Promise<void>
}

/** How to open, checked and with every default filled in. */
export interface OpenSpec {
  name: string
  /** Not given: the runtime's choice, once for each store. */
  storage: StorageKind | 'own' | undefined
  dimension: number | undefined
  readOnly: boolean
  relaxed: boolean
  /** Infinity: never. */
  autoCompact: number
  maxVectorBytes: number | undefined
  compat: string | undefined
  /** Rows that have codes are not kept in memory. */
  compactMemory: boolean
  /** Threads that search, this one included. */
  workers: number
  /** Other tabs may have the store open as well. */
  multiTab: boolean
  /** Whose tickets its writes have; not given: the page has none of its own. */
  sender?: string
}

export interface SalvageSpec {
  name: string
  into: string
  dimension: number | undefined
}
