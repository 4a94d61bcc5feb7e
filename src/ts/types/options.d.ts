/// <reference path="./platform.d.ts" />
import type { NidusError, WasmSource } from './segment.js'
import type { StorageHost } from './host.js'

/**
 * The kinds of storage that the package brings. In Durable Objects use `durableObject`, or write a {@link StorageHost}.
 */
export type StorageKind = 'opfs' | 'indexeddb' | 'fs' | 'memory'

/** The options of an opening that go with each other. */
export interface CommonOpenOptions {
  /**
   * The number of numbers in a vector, from 1 to 65,536. Needed to create a store. An existing store is checked against
   * it.
   */
  dimension?: number
  /**
   * The kind of storage, or a host of your own.
   *
   * Default in browsers: the kind that the store is in already. A new store goes to `'opfs'` if a file can really be
   * opened there, and to `'indexeddb'` otherwise. The store remembers its kind. If that kind cannot be used later, or
   * if another kind is asked for, opening rejects with `STORAGE_UNAVAILABLE`.
   *
   * Default in Node, Deno and Bun: `'fs'`, and the name is the path of a directory. In Cloudflare's workerd there is no
   * default.
   */
  storage?: StorageKind | StorageHost
  /**
   * Opens the store for reading only: takes no lock, changes nothing and repairs nothing. The store is seen as it was
   * when it was opened. Default: false.
   */
  readOnly?: boolean
  /**
   * `'strict'` (default): a write is durable when it is acknowledged. `'relaxed'`: a write is acknowledged earlier. It
   * becomes durable within about a second, or with `flush()`. `flush()` and `close()` reject if an acknowledged write
   * may be lost.
   */
  durability?: 'strict' | 'relaxed'
  /**
   * Compacts the store by itself if more than this share of its rows is dead: a number from 0 to 1, or `false` for
   * never. Default: 0.5.
   *
   * This happens when the store is opened. It also happens while the store is open, once nothing was written for half a
   * second and there are at least 8,192 dead rows, or 8 MiB of them. It stops for a write that has waited for a quarter
   * of a second.
   *
   * It never happens during an export, in workerd, or in an opening that imported the store or had to cut something off
   * (`recovery.bytes`).
   */
  autoCompact?: number | false
  /** The most bytes that the rows may take. A write beyond this rejects with `CAPACITY`. Default: no limit. */
  maxVectorBytes?: number
  /** `'0.3'`: refuses attributes that native nidus 0.3 cannot read (floats and dates). Default: none are refused. */
  compat?: '0.3'
  /**
   * Lets any number of tabs and workers of the origin open the store at the same time. Default: true in browsers, for
   * `'opfs'` and `'indexeddb'`. It needs Web Locks, so https or localhost. With `false`, only this opening has the
   * store, and other openings reject with `LOCKED`.
   *
   * The tab that opened the store first runs it, and the others send their calls to that tab. When it is closed, killed
   * or frozen, another tab takes over. Calls without an answer are sent again, and each write is made exactly once.
   * Under relaxed durability, acknowledged writes can be lost together with a tab. The next `flush()` or `close()` then
   * rejects with `OUTCOME_UNKNOWN`.
   */
  multiTab?: boolean
  /**
   * Starts the package's worker, for bundlers that cannot find it by themselves. Return a `new Worker(...)` of
   * `nidus-wasm/worker`. If `whole` is false, the smaller `nidus-wasm/worker-opfs` is enough. If the store turns out to
   * need more, the function is called again. For browsers only.
   */
  worker?: (whole: boolean) => Worker
  /**
   * The wasm to use in place of the package's own file: `nidus-wasm/nidus-page.wasm`, or `nidus-wasm/nidus.wasm` if
   * `workers` is above 1.
   */
  wasm?: WasmSource
}

/** The options of an opening that keeps all rows in memory. */
export interface FullMemoryOptions extends CommonOpenOptions {
  /**
   * `'full'` (default): keeps all rows in memory, and codes of them, which take about a quarter as much. A code is a
   * short form of a row that lets a search skip most rows.
   *
   * `'compact'`: keeps only the codes in memory. The few rows that a search, `get`, `records` or a compaction needs are
   * read from the storage. The answers are exactly the same. Opening reads every row once to make the codes. Rejects
   * with `UNSUPPORTED` for `storage: 'memory'`.
   */
  memory?: 'full'
  /**
   * The number of threads that search, including the store's own: 1 to 256. Default: 1. Each further thread is a worker
   * with a copy of its share of the rows, so with 2 threads half of the rows are in memory twice. The answers are
   * exactly the same. It makes searches faster from about 50,000 rows on.
   *
   * Rejects with `UNSUPPORTED` together with `memory: 'compact'`, and where there are no workers (workerd).
   */
  workers?: number
}

/** The options of an opening that keeps only codes of the rows in memory. */
export interface CompactMemoryOptions extends CommonOpenOptions {
  /**
   * `'full'` (default): keeps all rows in memory, and codes of them, which take about a quarter as much. A code is a
   * short form of a row that lets a search skip most rows.
   *
   * `'compact'`: keeps only the codes in memory. The few rows that a search, `get`, `records` or a compaction needs are
   * read from the storage. The answers are exactly the same. Opening reads every row once to make the codes. Rejects
   * with `UNSUPPORTED` for `storage: 'memory'`.
   */
  memory: 'compact'
  /** There are no search workers: they need rows that are in memory. */
  workers?: 1
}

export type OpenOptions = FullMemoryOptions | CompactMemoryOptions

export interface StoreOptions {
  /** The kind of storage. `destroy` also takes a host of your own. Default: every kind that can be used here. */
  storage?: StorageKind | StorageHost
  /** For `list` with `'fs'`: the directory whose subdirectories are looked at. Default: the working directory. */
  root?: string
  /** Starts the package's worker. See `OpenOptions.worker`. */
  worker?: (whole: boolean) => Worker
  /** The wasm to use in place of the package's own file. See `OpenOptions.wasm`. */
  wasm?: WasmSource
}

export interface PersistenceOptions {
  /**
   * Asks the browser to keep the origin's data (`navigator.storage.persist()`). Some browsers ask the user. In a worker
   * the browser is not asked, because only pages may do that. Default: false.
   */
  request?: boolean
  /** The time to wait for each of the browser's answers, in milliseconds, at most 2147483647. Default: 3000. */
  timeout?: number
}

/** The browser's promise about this origin's data, and how much room there is. */
export interface Persistence {
  /**
   * `'persistent'`: the browser keeps the origin's data. `'best-effort'`: the browser may remove all of it when the
   * device runs out of room. `'unknown'`: the browser does not tell, or not in time, or there is no browser.
   */
  state: 'persistent' | 'best-effort' | 'unknown'
  /** The number of bytes that the origin uses, if the browser tells. */
  usage?: number
  /** The number of bytes that the origin may use, if the browser tells. */
  quota?: number
}

/** A store that `Nidus.list` found. */
export interface StoreInfo {
  /** The name to open it by. */
  name: string
  /** The kind of storage that it is in. */
  storage: string
  /** The number of numbers in a vector. Missing if the creation of the store was interrupted. */
  dimension?: number
  /** The lengths of the data and the log file together, in bytes. */
  diskBytes: number
}

/**
 * A report on what an opening had to repair. If the store was closed properly before, all the numbers are 0.
 */
export interface RecoveryReport {
  /** The number of bytes that were cut off the ends of both files. */
  bytes: number
  /** The number of operations of the log within the bytes that were cut off, complete or not. */
  frames: number
  /** The number of bytes that were cut off the log. */
  logBytes: number
  /** The number of bytes that were cut off the data. */
  dataBytes: number
  /** True if this opening created the store. */
  created: boolean
  /** True if this opening compacted the store. */
  compacted: boolean
  /**
   * The number of rows in the data that no operation in the log names. Present only if there are any.
   *
   * An interrupted write leaves such rows. They also remain if the log lost operations because it was emptied, cut or
   * copied in part. Then put the right log back, or look at the report of `Nidus.salvage`. Only `compact()` removes
   * such rows. `autoCompact` does nothing while there are any, or if this opening cut something off.
   */
  orphanedRows?: number
  /**
   * The error of an automatic compaction that failed. The store is unchanged. The error can be set when the store is
   * opened. In the tab that runs the store, it can also be set later.
   */
  compactionError?: NidusError
}

/**
 * The bytes to import. If reading them fails with a `NidusError`, the import rejects with that error. Any other error
 * becomes the `cause` of a `NidusError` of code `FAILED`.
 */
export type ImportBytes =
  ReadableStream<Uint8Array> | Blob | Response | ArrayBuffer | Uint8Array | AsyncIterable<Uint8Array>

/**
 * The source of an import: a tar with the files `data` and `log`, or the two files separately. In a tar the two may lie
 * in any directory and in any order, and other files are skipped. Do not change the bytes before the import has ended.
 */
export type ImportSource = ImportBytes | { data: ImportBytes; log: ImportBytes }

/**
 * The options of `Nidus.import`, which opens the store with them. `dimension` is compared to that of the source.
 * `readOnly` is refused. `autoCompact` takes effect when the store is opened again, because an import keeps every byte.
 */
export type ImportOptions = OpenOptions & {
  /**
   * Replaces the store of that name in one atomic step: after a crash there is either the complete old store or the
   * complete new one. Default: false, and the import rejects with `ALREADY_EXISTS` if there is such a store.
   */
  replace?: boolean
  /**
   * Aborts the import. Until the new store is in place, the call rejects with `ABORTED` and everything is as it was
   * before. After that the call ends as it would without the signal.
   */
  signal?: AbortSignal
  /**
   * Called with the number of bytes read so far and the length of the source, if it is known. The two are equal only
   * once the import is done.
   */
  onProgress?: (done: number, total: number | undefined) => void
}
