/**
 * A place for one file beside the pair, which can be made again from the pair. Its bytes may be missing or torn:
 * whoever reads it checks them.
 */
export interface Derived {
  /** Returns the bytes in pieces, or undefined if there is no such file, or it is another program's. */
  read(): Promise<AsyncIterable<Uint8Array> | undefined>
  /**
   * Writes the file anew. If this rejects, because `pieces` throws or for another reason, or if the process ends
   * meanwhile, the file is the one before, missing, or without its first bytes. A file of another program is refused.
   */
  write(pieces: AsyncIterable<Uint8Array>): Promise<void>
  /** Removes the file, if there is one of this package's. */
  remove(): Promise<void>
}
