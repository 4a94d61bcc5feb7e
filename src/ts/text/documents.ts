import type { TextHost } from '../engine/text-host.js'
import { changedDocuments } from './store-documents.js'

/** A listener that learns which documents changed. */
export interface Listener {
  /** Called if any document may have changed. */
  reset(): void
  /** With `sameTexts`, the document was there before and has the same texts as before. */
  changed(doc: number, sameTexts: boolean): void
}

/** The bit of a changed document whose texts are as they were. */
const SAME_TEXTS = 0x80000000

/** Knows the numbers of all documents, and tells its listeners which documents have changed. Reads no document. */
export class Documents {
  readonly #host: TextHost
  readonly #listeners: Listener[] = []
  #dirty = true
  #end = 0
  #commits = 0

  constructor(host: TextHost) {
    this.#host = host
  }

  listen(listener: Listener) {
    this.#listeners.push(listener)
  }

  /** Notes that there was a commit. */
  wrote() {
    this.#dirty = true
  }

  /** Tells the listeners what has changed. */
  look() {
    if (!this.#dirty) return
    const touched = changedDocuments(this.#host)
    this.#dirty = false
    this.#commits++
    const numbers = new Uint32Array(touched.buffer, touched.byteOffset, touched.byteLength / 4)
    const all = numbers[0] === 1
    for (const number of numbers.subarray(1)) {
      const doc = number & ~SAME_TEXTS
      this.#end = Math.max(this.#end, doc + 1)
      if (!all) for (const listener of this.#listeners) listener.changed(doc, doc !== number)
    }
    if (all) for (const listener of this.#listeners) listener.reset()
  }

  /** The number of calls of `look` that found a commit. */
  get commits() {
    return this.#commits
  }

  /** One more than the highest number that a document has had, as of the last `look`. */
  get end() {
    return this.#end
  }
}
