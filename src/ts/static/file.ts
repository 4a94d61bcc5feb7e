export interface Validators {
  etag: string | null
  modified: string | null
}

/** A file that is only read, and stays what it is, or says that it does not. */
export interface StaticFile {
  readonly name: string
  readonly size: number
  read(at: number, length: number): Promise<Uint8Array>
  /** Refuses if it is not any more what it was when it was opened. */
  check(): Promise<void>
}

export const blobFile = (name: string, blob: Blob, check = async () => {}): StaticFile => ({
  name,
  size: blob.size,
  read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()),
  check,
})
