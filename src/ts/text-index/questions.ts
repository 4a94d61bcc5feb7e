import { onAbort } from '../runtime/signals.js'
import type { Embedder } from '../types/text-index.js'
import { embed } from './embedder.js'
import { endOf, unlessEnded } from './waiting.js'

/** The number of questions whose vectors are kept. Somebody who types back and forth asks some of them again. */
const KEPT = 64

interface Made {
  vector: Promise<Float32Array>
  /** How many searches wait for it. */
  waiting: number
  done: boolean
  /** Ends the work of the embedder. */
  abandoned: AbortController
}

/** Makes the vectors of questions, and keeps the latest. */
export class Questions {
  readonly #embedder: Embedder
  readonly #signal: AbortSignal
  readonly #kept = new Map<string, Made>()

  /** `signal` ends all waits for the embedder. */
  constructor(embedder: Embedder, signal: AbortSignal) {
    this.#embedder = embedder
    this.#signal = signal
  }

  /**
   * Returns the vector of a question. Once `signal` is aborted, its reason is thrown. If no other search waits for the
   * vector, the embedder is told to stop, so that a model need not read what somebody typed on the way.
   */
  vector(question: string, signal: AbortSignal): Promise<Float32Array> {
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    const made = this.#kept.get(question) ?? this.#make(question)
    made.waiting++
    const forget = onAbort(signal, () => {
      if (--made.waiting > 0 || made.done) return
      if (this.#kept.get(question) === made) this.#kept.delete(question)
      made.abandoned.abort(signal.reason)
    })
    return unlessEnded(made.vector, signal).finally(forget)
  }

  #make(question: string): Made {
    const abandoned = new AbortController()
    const end = endOf([this.#signal, abandoned.signal])
    const vector = embed(this.#embedder, [question], 'query', end.signal).finally(end.release)
    const made: Made = { vector, waiting: 0, done: false, abandoned }
    const ended = () => (made.done = true)
    vector.then(ended, () => {
      ended()
      if (this.#kept.get(question) === made) this.#kept.delete(question)
    })
    this.#kept.set(question, made)
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    return made
  }
}
