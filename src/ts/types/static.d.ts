import type { WasmSource } from './segment.js'

/** What is used of an R2 bucket's binding. */
export interface StaticBucket {
  head(key: string): Promise<{ size: number; etag: string } | null>
  get(key: string, options: { range: { offset: number; length: number }; onlyIf: { etagMatches: string } }): Promise<{ etag: string; arrayBuffer?(): Promise<ArrayBuffer> } | null>
}

/** The two files of a store: by their addresses, as Blobs, or by their keys in a bucket. */
export type StaticSource = { data: string | URL | Blob; log: string | URL | Blob } | { bucket: StaticBucket; data: string; log: string }

export interface StaticOptions {
  /** `'full'` (default): all rows are fetched and kept in memory. `'compact'`: opening reads every row once and makes codes; the few rows that a search wants are fetched by ranges. */
  memory?: 'full' | 'compact'
  /** Bytes fetched so far while opening, of all. */
  onProgress?: (done: number, total: number) => void
  /** Aborts the opening. Searches take a signal of their own. */
  signal?: AbortSignal
  /** Milliseconds: a server that sends nothing for so long has failed (`STORAGE_FAILED`), while opening and later. Default: 30,000. */
  timeout?: number
  /**
   * Where both files are kept, if both are addresses: in the origin's private file system (`'opfs'`) or in Cache Storage (`'cache-storage'`). They are fetched again only when they
   * have changed. A newer version takes the place of the one that is kept in one step, once both its files are here and open; until then, and when it cannot be had whole (no network, a
   * server in trouble), the one that is kept serves. `STORAGE_UNAVAILABLE` where there is no such place; when there is no room the store opens without being kept. Default: neither.
   */
  cache?: 'opfs' | 'cache-storage' | false
  /** For every request. */
  headers?: Record<string, string>
  fetch?: typeof fetch
  wasm?: WasmSource
}
