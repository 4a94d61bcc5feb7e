export interface Validators {
  etag: string | null
  modified: string | null
}

/** A file that is only read, and stays what it is, or says that it does not. */
export interface StaticFile {
  readonly name: string
  readonly size: number
  read(at: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  /** Refuses if it is not any more what it was when it was opened. */
  check(): Promise<void>
}

/** A version of an index: its data and its log. */
export type Pair = readonly [data: StaticFile, log: StaticFile]

export const blobFile = (name: string, blob: Blob): StaticFile => ({
  name,
  size: blob.size,
  read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()),
  check: async () => {},
})
