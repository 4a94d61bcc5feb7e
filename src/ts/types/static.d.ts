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
  /** Aborts the opening. */
  signal?: AbortSignal
  /**
   * Where both files are kept: in the origin's private file system (`'opfs'`) or in Cache Storage (`'cache-storage'`, in a service worker's reach). They are fetched again only when they have changed, and used as they were kept when there is no network. `STORAGE_UNAVAILABLE` where there is
   * no such thing, `QUOTA_EXCEEDED` when there is no room. Default: neither.
   */
  cache?: 'opfs' | 'cache-storage' | false
  /** For every request. */
  headers?: Record<string, string>
  fetch?: typeof fetch
  wasm?: WasmSource
}
