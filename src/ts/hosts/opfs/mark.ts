import { encodeSlot, markOffset, slotOffset } from './head.js'
import type { SyncAccessHandle } from '../../types/index.js'

/**
 * Tells whether the files of a store are still the ones that were opened. The user may clear the site's data, and
 * another tab may then make a store of the same name. The handles cannot tell: they go on writing to the removed files.
 * So every opening leaves a random mark in the head.
 */
export class Mark {
  readonly #text = crypto.randomUUID().slice(-16)
  readonly #bytes = new TextEncoder().encode(this.#text)
  #written = false
  /** The time of the head when it had the mark. */
  #seen = 0

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
  }

  /** Returns whether the files were removed. */
  async removed(directory: FileSystemDirectoryHandle): Promise<boolean> {
    try {
      const head = await (await directory.getFileHandle('head')).getFile()
      const { lastModified } = head
      if (this.#written && lastModified !== this.#seen && !(await head.text()).includes(this.#text)) return true
      this.#seen = lastModified
      return false
    } catch (error) {
      return (error as Error | undefined)?.name === 'NotFoundError'
    }
  }
}
