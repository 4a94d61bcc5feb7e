export interface Validators {
  etag: string | null
  modified: string | null
}

/** A file that is only read, and stays what it is, or says that it does not. */
export interface StaticFile {
  readonly name: string
  readonly size: number
  read(at: number, length: number): Promise<Uint8Array>
  close(): void
}

export const blobFile = (name: string, blob: Blob): StaticFile => ({
  name,
  size: blob.size,
  read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()),
  close() {},
})
