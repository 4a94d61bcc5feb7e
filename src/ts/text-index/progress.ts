import type { TextProgress } from '../types/text-index.js'
import { calling } from './waiting.js'

/** Counts what one call does, and says so. */
export class Progress {
  documents = 0
  unchanged = 0
  embedded = 0
  passages = 0
  #began: number | undefined
  readonly #place: string
  readonly #told: ((progress: TextProgress) => void) | undefined

  constructor(place: string, told: ((progress: TextProgress) => void) | undefined) {
    this.#place = place
    this.#told = told
  }

  beginEmbedding() {
    this.#began ??= performance.now()
  }

  /** Tells that all passages are embedded, if that is not told yet. */
  finish() {
    if (this.embedded >= this.passages) return
    this.embedded = this.passages
    this.tell()
  }

  /** Tells the caller. What the caller's function throws is CALLBACK_FAILED. */
  tell() {
    if (!this.#told) return
    const seconds = this.#began === undefined ? 0 : (performance.now() - this.#began) / 1000
    const perSecond = seconds > 0 ? this.embedded / seconds : 0
    const { documents, unchanged, embedded } = this
    // Passages that other calls added may be embedded with those of this one.
    const passages = Math.max(this.passages, embedded)
    const secondsLeft = perSecond > 0 ? (passages - embedded) / perSecond : undefined
    calling(`${this.#place}: \`onProgress\``, () =>
      this.#told!({ documents, unchanged, embedded, passages, perSecond, secondsLeft }),
    )
  }
}
