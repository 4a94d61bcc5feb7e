import type { Embedder } from '../types/text-index.js'
import { embed } from './embedder.js'

/** The number of questions whose vectors are kept. Somebody who types back and forth asks some of them again. */
const KEPT = 64

/** Makes the vectors of questions, and keeps the latest. */
export class Questions {
  readonly #embedder: Embedder
  readonly #signal: AbortSignal
  readonly #kept = new Map<string, Promise<Float32Array>>()

  /** `signal` ends all waits for the embedder. */
  constructor(embedder: Embedder, signal: AbortSignal) {
    this.#embedder = embedder
    this.#signal = signal
  }

  /** Returns the vector of a question. An aborted question is made to its end, since another call may wait for it. */
  vector(question: string): Promise<Float32Array> {
    const known = this.#kept.get(question)
    if (known) return known
    const made = embed(this.#embedder, [question], 'query', this.#signal)
    this.#kept.set(question, made)
    made.catch(() => this.#kept.delete(question))
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    return made
  }
}
