/** The headers by which two answers for the same file are compared. */
export interface Validators {
  etag: string | null
  modified: string | null
}

/** A file that is only read. A read rejects if the file is not the same any more. */
export interface StaticFile {
  readonly name: string
  readonly size: number
  read(at: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  /** Rejects if the file is not what it was when it was opened. */
  check(): Promise<void>
}

/** One version of an index: its data and its log. */
export type Pair = readonly [data: StaticFile, log: StaticFile]

export const blobFile = (name: string, blob: Blob): StaticFile => ({
  name,
  size: blob.size,
  read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()),
  check: async () => {},
})
