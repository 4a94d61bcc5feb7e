import type { NidusError, WasmSource } from './segment.js'
import type { StorageHost } from './host.js'

export type StorageKind = 'opfs' | 'indexeddb' | 'fs' | 'memory'

export interface OpenOptions {
  /** Numbers in a vector, 1 to 65,536. Needed only to create a store; checked against an existing one. */
  dimension?: number
  /**
   * Default in browsers: what the store is kept in; for a new one `'opfs'` if a file really opens there, else `'indexeddb'`. The kind is recorded when the store is made, and kept:
   * where it cannot be used, or another one is asked for, `STORAGE_UNAVAILABLE`. In Node, Deno and Bun: `'fs'` (the name is the directory's path). In workerd: none.
   */
  storage?: StorageKind | StorageHost
  /** Takes no lock, changes nothing, repairs nothing; sees the store as it was at open. */
  readOnly?: boolean
  /** `'strict'` (default): acknowledged means durable. `'relaxed'`: acknowledged when written, durable within about a second or after `flush()`; `flush()` and `close()` reject if something acknowledged may be lost. */
  durability?: 'strict' | 'relaxed'
  /**
   * Compact if more than this part of the rows, from 0 to 1, is dead: at open, and while open once nothing was written for half a second and at least 8,192 dead rows (or 8 MiB of them) are to be gained. Default 0.5; `false`: never.
   * While open it never begins during an export, in an opening that had to cut something (`recovery.bytes`), in one that imported the store, or in workerd; and it gives way to a write that waits for a quarter of a second.
   */
  autoCompact?: number | false
  /** Refuse (`CAPACITY`) rows beyond this many bytes. Default: no limit. */
  maxVectorBytes?: number
  /** `'0.3'`: reject values that native nidus 0.3 cannot read (floats, dates). */
  compat?: '0.3'
  /**
   * `'full'` (default): all rows are in memory, and codes beside them, a quarter as large. `'compact'`: the codes alone, about a quarter of the rows' bytes; the few rows that a search, `get`,
   * `records` or a compaction wants are read from the storage. The same answers, to the bit. Opening reads every row once and makes its codes. Not with `storage: 'memory'` (`UNSUPPORTED`).
   */
  memory?: 'full' | 'compact'
  /**
   * Threads that search, this one included, at most 256. Default 1. The further ones are workers with copies of their share of the rows (a half of them for 2), so that a search of many rows takes a part of the time;
   * the answers are the same, to the bit. Pays from some 50,000 rows on. Not with `memory: 'compact'`, nor where there are no workers (workerd): `UNSUPPORTED`.
   */
  workers?: number
  /**
   * Default in browsers, for `opfs` and `indexeddb`: any number of tabs and workers of the origin may open the store. The first has it, the others ask that one; when it is closed, killed or
   * frozen another goes on. What was asked and not answered is asked again, and each write is made exactly once. Under relaxed durability the next `flush()` or `close()` tells (`OUTCOME_UNKNOWN`) if what was acknowledged was lost with
   * another tab. `false`: this opening alone, and `LOCKED` to (or by) others. Needs Web Locks, so https or localhost.
   */
  multiTab?: boolean
  /**
   * Starts the package's worker, where a bundler needs to be told how: `() => new Worker(...)` of `nidus-wasm/worker`. Browsers only. Where `whole` is false, the smaller
   * `nidus-wasm/worker-opfs` will do; should the store need more, the function is called again.
   */
  worker?: (whole: boolean) => Worker
  /** In place of the package's own file: `nidus-wasm/nidus-page.wasm` will do, and with `workers` above 1 `nidus-wasm/nidus.wasm`. */
  wasm?: WasmSource
}

export interface StoreOptions {
  storage?: StorageKind | StorageHost
  /** `list` with `'fs'`: the directory whose subdirectories are looked at. Default: the working directory. */
  root?: string
  worker?: (whole: boolean) => Worker
  wasm?: WasmSource
}

export interface PersistenceOptions {
  /** Ask the browser to keep the origin's storage (`navigator.storage.persist()`). Some ask the user; where only pages may ask (workers), it is not asked. Default false. */
  request?: boolean
  /** How long each of the browser's answers may take, in milliseconds, at most 2147483647. Default 3000. */
  timeout?: number
}

export interface Persistence {
  /** `'best-effort'`: the browser may remove all of the origin's storage when the device runs out of room. `'unknown'`: it does not say, or not in time; and wherever there is no browser. */
  state: 'persistent' | 'best-effort' | 'unknown'
  /** Bytes that the origin uses, and may use, as far as the browser tells. */
  usage?: number
  quota?: number
}

export interface StoreInfo {
  name: string
  storage: string
  /** Missing if the store was never finished. */
  dimension?: number
  /** Lengths of data and log, in bytes. */
  diskBytes: number
}

/** What opening had to do. All zero for a store that was closed in order. */
export interface RecoveryReport {
  /** Bytes cut from the ends of both files. */
  bytes: number
  /** Frames of the log, whole or begun, within the bytes cut. */
  frames: number
  logBytes: number
  dataBytes: number
  /** This open made the store. */
  created: boolean
  /** This open compacted the store. */
  compacted: boolean
  /**
   * Only where there are any: rows in the data that no operation of the log names. An interrupted write leaves such rows, and so does a log that lost operations (an empty one, one that was cut or copied in part): then
   * put the log back, or see what `Nidus.salvage` tells. Nothing removes them unasked: while there are any, or where this open cut anything, `autoCompact` does nothing. `compact()` removes them.
   */
  orphanedRows?: number
  /** Auto-compaction was due and failed, at open or, in the tab that has the store, later; the store is as it was. */
  compactionError?: NidusError
  /** Only of `Nidus.salvage`. The numbers above then tell what could not be taken: bytes of both files, and frames as far as they can be told apart. */
  salvaged?: Salvaged
}

/** What salvage brought along, and what was wrong. */
export interface Salvaged {
  documents: number
  collections: number
  /** Frames of the log whose operations were taken. */
  frames: number
  /** Whole rows in the data. */
  rows: number
  /** Rows that no document refers to: overwritten, deleted, or with their documents lost. */
  orphanedRows: number
  /** Upserts passed over since the data has no such row. */
  missingRows: number
  /** Documents dropped since their rows are not of unit length, or were given to a later document. */
  damagedRows: number
  /** Places of damage in the log. */
  damages: number
  /** The first 64 of them. */
  damage: { offset: number; length: number }[]
  /** Rows that no operation names which was read: whose they are only a log that is not here could tell. */
  unnamedRows: number
  /** Whole operations that another version wrote and this one does not know, passed over: no damage. Only where there are any. The first 64 places. */
  unsupported?: { code: 'UNSUPPORTED_VERSION'; frames: number; places: { offset: number; length: number }[] }
}

export interface SalvageOptions {
  /** The dimension, where the data's header is damaged. One that is given counts, whatever the header says. */
  dimension?: number
  /** Of both stores; as in `open`. */
  storage?: StorageKind | StorageHost
  /** With a host of your own: the one to salvage into. */
  into?: StorageHost
  worker?: (whole: boolean) => Worker
  /** In place of the package's own file: `nidus-wasm/nidus.wasm`. The one of a page's stores, nidus-page.wasm, cannot salvage. */
  wasm?: WasmSource
}

/** Bytes to import. What it throws is passed on; what is no `NidusError` as the `cause` of one of code `FAILED`. */
export type ImportBytes = ReadableStream<Uint8Array> | Blob | Response | ArrayBuffer | Uint8Array | AsyncIterable<Uint8Array>

/** A tar with the files `data` and `log` (in any directory, in any order; others are passed over), or the two files each by itself. Not to be changed before the import has ended. */
export type ImportSource = ImportBytes | { data: ImportBytes; log: ImportBytes }

/** `dimension` is compared to the input's; `readOnly` is refused; `autoCompact` counts from the next opening on: what is imported stays as it is. */
export interface ImportOptions extends OpenOptions {
  /** Puts the import in the place of a store of that name, atomically: after a crash there is the old one or the new one, whole. Default false: `ALREADY_EXISTS`. */
  replace?: boolean
  /** Aborts (`ABORTED`, and everything is as before) until the new store is made current; after that the true outcome is told. */
  signal?: AbortSignal
  /** Bytes of the source taken up so far, of all, if that is known; equal only when the import is done. */
  onProgress?: (done: number, total: number | undefined) => void
}
