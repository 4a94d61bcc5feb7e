import type { TextHost } from '../engine/text-host.js'

/** Somebody who is told which documents changed. */
export interface Listener {
  /** Any document may have changed. */
  reset(): void
  changed(doc: number): void
}

/** Knows which documents there are, by their numbers, and tells which of them have changed. Reads none. */
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

  /** There was a commit. */
  wrote() {
    this.#dirty = true
  }

  /** Tells the listeners what has changed. */
  look() {
    if (!this.#dirty) return
    this.#dirty = false
    this.#commits++
    const { store, run } = this.#host
    const touched = run(() => store.documents())
    const numbers = new Uint32Array(touched.buffer, touched.byteOffset, touched.byteLength / 4)
    const all = numbers[0] === 1
    for (let i = 1; i < numbers.length; i++) this.#end = Math.max(this.#end, numbers[i] + 1)
    for (const listener of this.#listeners) {
      if (all) listener.reset()
      else for (let i = 1; i < numbers.length; i++) listener.changed(numbers[i])
    }
  }

  /** Is another number after each `look` that found a commit. */
  get commits() {
    return this.#commits
  }

  /** Greater than the number of any document, after `look`. */
  get end() {
    return this.#end
  }
}
