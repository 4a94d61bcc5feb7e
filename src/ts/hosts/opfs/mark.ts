import { encodeSlot, markOffset, slotOffset } from './head.js'
import type { SyncAccessHandle } from '../../types/index.js'

/**
 * Tells whether the files of a store are still the ones that were opened. The user may clear the site's data, and
 * another tab may then make a store of the same name. The handles cannot tell: they go on writing to the removed files.
 * So the first commit leaves a random mark in the head.
 */
export class Mark {
  readonly #directory: FileSystemDirectoryHandle
  readonly #head: SyncAccessHandle
  readonly #at: number
  readonly #text = crypto.randomUUID().slice(20)
  readonly #bytes = new TextEncoder().encode(this.#text)
  #written = false
  /** The time of the head when it had the mark. */
  #seen = 0

  constructor(directory: FileSystemDirectoryHandle, head: SyncAccessHandle, generation: number) {
    this.#directory = directory
    this.#head = head
    // Beside the slot that is not current, so that a torn write cannot damage the current one.
    this.#at = markOffset(generation + 1)
  }

  /** Returns whether the files were removed. Writes the mark if that was not done yet: an opening changes nothing. */
  check(): Promise<boolean> {
    try {
      if (!this.#written) this.#head.write(this.#bytes, { at: this.#at })
      this.#written = true
    } catch {
      // The quota is full. The next commit tries again.
    }
    return this.removed()
  }

  /** Does what `check` does, but writes nothing. Without a mark, it tells whether there is a head at all. */
  async removed(): Promise<boolean> {
    try {
      const head = await (await this.#directory.getFileHandle('head')).getFile()
      if (this.#written && head.lastModified !== this.#seen && !(await head.text()).includes(this.#text)) return true
      this.#seen = head.lastModified
      return false
    } catch (error) {
      return (error as Error).name === 'NotFoundError'
    }
  }

  /** Writes the slot of a new generation, with the mark. */
  promote(generation: number) {
    this.#head.write(encodeSlot(generation, this.#bytes), { at: slotOffset(generation) })
    this.#written = true
  }
}
