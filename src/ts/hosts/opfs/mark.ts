import { HEAD_SIZE, MARK_SIZE, encodeSlot, markOffset, slotOffset } from './head.js'
import type { SyncAccessHandle } from '../../types/index.js'

/**
 * Tells whether the files of a store are still the ones that were opened. The user may clear the site's data, and
 * another tab may then make a store of the same name. The handles cannot tell: they go on writing to the removed files.
 * So every opening leaves a random mark in the head.
 */
export class Mark {
  readonly #directory: FileSystemDirectoryHandle
  readonly #bytes = crypto.getRandomValues(new Uint8Array(MARK_SIZE))
  #written = false
  #head: FileSystemFileHandle | undefined
  /** The size and the time of the head when it had the mark. */
  #seen = ''

  constructor(directory: FileSystemDirectoryHandle) {
    this.#directory = directory
  }

  /** Writes the mark beside the slot that is not current, so that a torn write cannot damage the current one. */
  write(head: SyncAccessHandle, generation: number) {
    try {
      head.write(this.#bytes, { at: markOffset(generation + 1) })
      this.#written = true
    } catch {
      // The quota is full. A store without a mark can still be opened, and tells whether there is a head at all.
    }
  }

  /** Writes the slot of a new generation. */
  promote(head: SyncAccessHandle, generation: number) {
    head.write(encodeSlot(generation, this.#bytes), { at: slotOffset(generation) })
    this.#written = true
    this.#seen = ''
  }

  /** Returns an error if the files were removed, and undefined if they are there. */
  async removed(): Promise<Error | undefined> {
    try {
      this.#head ??= await this.#directory.getFileHandle('head')
      const file = await this.#head.getFile()
      const seen = `${file.size} ${file.lastModified}`
      if (!this.#written || seen === this.#seen) return
      const head = new Uint8Array(await file.slice(0, HEAD_SIZE).arrayBuffer())
      if (![0, 1].some((slot) => this.#bytes.every((byte, i) => head[markOffset(slot) + i] === byte)))
        return new Error('another store of this name is in its place')
      this.#seen = seen
    } catch (error) {
      if ((error as Error | undefined)?.name === 'NotFoundError') return error as Error
    }
  }
}
