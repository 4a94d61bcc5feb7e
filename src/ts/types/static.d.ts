/// <reference path="./platform.d.ts" />
import type { WasmSource } from './segment.js'

/** The methods of an R2 bucket's binding that a static store uses. */
export interface StaticBucket {
  head(key: string): Promise<{ size: number; etag: string } | null>
  get(
    key: string,
    options: { range: { offset: number; length: number }; onlyIf: { etagMatches: string } },
  ): Promise<{ etag: string; arrayBuffer?(): Promise<ArrayBuffer> } | null>
}

/** The two files of a store: their addresses, the files as Blobs, or their keys in a bucket. */
export type StaticSource =
  { data: string | URL | Blob; log: string | URL | Blob } | { bucket: StaticBucket; data: string; log: string }

export interface StaticOptions {
  /**
   * `'full'` (default) fetches all rows when the store is opened and keeps them in memory. `'compact'` reads every row
   * once when the store is opened and keeps only short codes of them. A search then fetches the few rows that it needs
   * by range requests.
   */
  memory?: 'full' | 'compact'
  /** Called while the store is being opened, with the bytes fetched so far and the bytes of both files. */
  onProgress?: (done: number, total: number) => void
  /** Aborts the opening (`ABORTED`). A search takes a signal of its own. */
  signal?: AbortSignal
  /**
   * The longest wait for the server, in milliseconds. If it sends nothing for this long, the opening or the search
   * fails with `STORAGE_FAILED`. Default: 30,000.
   */
  timeout?: number
  /**
   * Keeps both files in the browser: `'opfs'` in the origin's private file system, `'cache-storage'` in Cache Storage.
   * Both files must be given as addresses. They are fetched again only when they have changed. Default: not kept.
   *
   * A newer version replaces the kept one in one step, once both of its files are here and could be opened. Until then
   * the kept version is used. It is also used if there is no network or the server has a fault.
   *
   * If the chosen place does not exist, opening fails with `STORAGE_UNAVAILABLE`. If there is no room in it, the store
   * opens without being kept.
   */
  cache?: 'opfs' | 'cache-storage' | false
  /** Headers that are sent with every request. */
  headers?: Record<string, string>
  /** The function that makes the requests. Default: the runtime's own `fetch`. */
  fetch?: typeof globalThis extends { fetch: infer F } ? F : never
  /** The wasm to use in place of the package's own file. */
  wasm?: WasmSource
}
