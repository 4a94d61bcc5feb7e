import type { NidusError } from '../errors.js'
import type { Ticket } from './tickets.js'
import type { CloseReason, Footprint, RecoveryReport, StorageHost, StorageKind, StoreFiles } from '../types/index.js'

/** What a store can be asked, in wire forms: everything here survives a structured clone. */
export interface Calls {
  createCollection(collection: string): boolean
  dropCollection(collection: string): boolean
  setMeta(collection: string, meta: Uint8Array): void
  upsert(collection: string, count: number, batch: Uint8Array, vectors: Float32Array): number
  delete(collection: string, count: number, ids: Uint8Array): number
  deleteWhere(collection: string, filter: Uint8Array): number
  hasCollection(collection: string): boolean
  collections(): Uint8Array
  getMeta(collection: string): Uint8Array
  count(collection: string | undefined, filter: Uint8Array): number
  get(collection: string, count: number, ids: Uint8Array): Found
  records(collection: string, filter: Uint8Array, after: string | undefined, limit: number): Page
  /** Any number of queries, one behind the other. */
  search(queries: Float32Array, collections: number | undefined, names: Uint8Array, topK: number, minScore: number, filter: Uint8Array, withVectors: boolean): Hits
  flush(): void
  compact(): void
  footprint(): Footprint
  /** The highest number of this sender's writes that are there, or 0. */
  newest(sender: string): number
  exportBegin(): Exported
  /** Not empty, and perhaps fewer than `length`. */
  exportRead(id: string, file: FileName, at: number, length: number): Uint8Array
  exportEnd(id: string): void
}
export type Method = keyof Calls

export interface Found { wire: Uint8Array; vectors: Float32Array }
export interface Page extends Found { count: number; more: boolean }
export interface Hits { wire: Uint8Array; scores: Float32Array; vectors: Float32Array | undefined; counts: Uint32Array }

export type FileName = 'data' | 'log'
/** An export under way, and what it has of both files. */
export type Exported = { id: string } & Record<FileName, number>

/** What an import takes its bytes from: pieces of at most 4 MiB, each file's in order, each in a buffer of its own; then undefined, as often as it is asked. */
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
  /** Of an upsert: its vectors are the caller's own, as they are now. Unless they are taken up before the call returns, this makes a copy of them. */
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
  call<M extends Method>(method: M, args: Parameters<Calls[M]>, options?: CallOptions): Promise<ReturnType<Calls[M]>>
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
  compact: boolean
  /** Threads that search, this one included. */
  workers: number
  /** Other tabs may have the store open as well. */
  multiTab: boolean
  /** Whose tickets its writes have; not given: the page has none of its own. */
  sender?: string
}

/** A host of ours can do a little more than the contract asks. */
export interface Host extends StorageHost {
  /** The handles keep no reference to what they are given, so they may see wasm memory itself. */
  readonly lendViews?: boolean
  /** Read-only opens take no lock: what happened to the files while they were read. */
  changed?(files: StoreFiles): Promise<'no' | 'grew' | 'replaced'>
  /** `lenient`: to be salvaged, so a file that is missing reads as an empty one. */
  open(mode: { readOnly: boolean; mustExist: boolean; lenient?: boolean }): Promise<StoreFiles>
  /** This opening is refused: takes back what it made, if that is still empty, and the lock. */
  refused?(): Promise<void>
  /** `toRead`: an import will read all of it back before `promote`. */
  create(toRead?: boolean): Promise<StoreFiles>
  /** In memory alone: of the data its sink keeps only the header, since the core has the rows. */
  readonly rowsInCore?: boolean
  /** The engine's: to be called when the host finds out by itself that the store can no longer be written. */
  onLost?: (error: NidusError) => void
  /** The log names rows that data does not have: the pair that completes another program's half-done compaction, if that is what happened. */
  halfCompacted?(files: StoreFiles, readOnly: boolean): Promise<StoreFiles | undefined>
}

/** A host of ours that a user passes has this method: a host for one open store, which is asked for by this name. */
export const SESSION = Symbol.for('nidus-wasm.session')

/** Thrown by a host of ours from `promote`: certainly nothing was promoted. */
export class NotPromoted extends Error {
  constructor(cause: unknown) {
    super('not promoted', { cause })
    this.name = 'NotPromoted'
  }

  /** By name: a host that is an entry of its own has another copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'NotPromoted'
  }
}
