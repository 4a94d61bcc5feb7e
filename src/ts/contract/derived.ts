/**
 * The place of the derived file: one file beside the pair, which can be made again from the pair. Its bytes may be
 * missing or half written, so its reader checks them.
 */
export interface Derived {
  /** Returns the bytes in pieces, or undefined if there is no such file, or if it belongs to another program. */
  read(): Promise<AsyncIterable<Uint8Array> | undefined>
  /**
   * Writes the file anew. The write may fail, for example because `pieces` throws, or the process may end during it.
   * Then the file is the one before, or missing, or without its first bytes. Refuses to replace a file of another
   * program.
   */
  write(pieces: AsyncIterable<Uint8Array>): Promise<void>
  /** Removes the file, if there is one of this package's. */
  remove(): Promise<void>
}
