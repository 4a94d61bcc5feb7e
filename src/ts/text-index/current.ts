import type { PassageStore } from './passage-store.js'
import type { Questions } from './questions.js'
import type { Settings } from './settings.js'
import { inTurn, unlessEnded } from './waiting.js'

/** The store and the embedder of an index. A change of the model replaces them together. */
export interface Current {
  readonly store: PassageStore
  readonly settings: Settings
  readonly questions: Questions | undefined
  /** Aborted once others are in their place: nobody needs what this embedder still makes. */
  readonly replaced: AbortController
}

/** Lets work in, until somebody wants to be alone. */
class Gate {
  #inside = 0
  #opened: Promise<void> | undefined
  #open = () => {}
  #emptied = () => {}

  async pass<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    while (this.#opened) await unlessEnded(this.#opened, signal)
    if (signal.aborted) throw signal.reason
    this.#inside++
    try {
      return await work()
    } finally {
      if (--this.#inside === 0) this.#emptied()
    }
  }

  /** Lets nobody in any more, and resolves once nobody is inside. */
  async shut(signal: AbortSignal) {
    this.#opened = new Promise((resolve) => (this.#open = resolve))
    if (this.#inside > 0) await unlessEnded(new Promise<void>((resolve) => (this.#emptied = resolve)), signal)
  }

  open() {
    this.#opened = undefined
    this.#open()
  }
}

/** Runs work for the same documents one after the other, in the order of the calls. */
class Turns {
  /** For each document that somebody works for, the end of the last work. */
  readonly #last = new Map<string, Promise<void>>()

  run<T>(documents: string[], work: () => Promise<T>): Promise<T> {
    const before = new Set(documents.map((id) => this.#last.get(id) ?? NOTHING))
    const running = Promise.all(before).then(work)
    const over = running.then(nothing, nothing).then(() => {
      for (const id of documents) if (this.#last.get(id) === over) this.#last.delete(id)
    })
    for (const id of documents) this.#last.set(id, over)
    return running
  }
}
const nothing = () => {}
const NOTHING = Promise.resolve()

/** Holds what is current. Whoever uses the store does so within `reading` or `writing`, so nobody sees it closed. */
export class Held {
  current: Current
  /** Aborted when the index is closed. The reason is the error of all calls after that. */
  readonly closed = new AbortController()
  readonly #reads = new Gate()
  readonly #writes = new Gate()
  readonly #calls = new Turns()

  constructor(current: Current) {
    this.current = current
  }

  reading<T>(work: (current: Current) => Promise<T>, signal: AbortSignal = this.closed.signal): Promise<T> {
    return this.#reads.pass(() => work(this.current), signal)
  }

  writing<T>(work: (current: Current) => Promise<T>, signal: AbortSignal = this.closed.signal): Promise<T> {
    return this.#writes.pass(() => work(this.current), signal)
  }

  /**
   * Runs `work` after all earlier work of this opening for the same documents, so that the later of two calls has the
   * last word.
   */
  inOrder<T>(documents: string[], work: () => Promise<T>, signal: AbortSignal = this.closed.signal): Promise<T> {
    return inTurn((work) => this.#calls.run(documents, work), work, signal)
  }

  /** Runs `work` while nobody writes. From its call of `shut` on nobody reads, either, and it may replace `current`. */
  async alone(work: (shut: () => Promise<void>) => Promise<void>, signal: AbortSignal) {
    const { replaced } = this.current
    const before = this.current
    try {
      await this.#writes.shut(signal)
      await work(() => this.#reads.shut(signal))
    } finally {
      this.#reads.open()
      this.#writes.open()
      if (this.current !== before) replaced.abort()
    }
  }
}
