import type { Live } from '../types/live.js'

/** A value with listeners. `start` is called for the first one, and `stop` when there is none any more. */
export abstract class Value<V> implements Live<V> {
  #value: V
  readonly #listeners = new Set<() => void>()
  #running = false

  constructor(value: V) {
    this.#value = value
  }

  protected abstract start(): void
  protected abstract stop(): void

  get running(): boolean {
    return this.#running
  }

  // These are passed as functions, so they are properties.
  readonly get = (): V => this.#value

  readonly listen = (listener: () => void): (() => void) => {
    const own = () => listener()
    this.#listeners.add(own)
    if (!this.#running) {
      this.#running = true
      this.start()
    }
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return
      // React's strict mode takes a listener away and adds it again in the same turn.
      queueMicrotask(() => {
        if (this.#listeners.size > 0 || !this.#running) return
        this.#running = false
        this.stop()
      })
    }
  }

  readonly subscribe = (run: (value: V) => void): (() => void) => {
    const stop = this.listen(() => run(this.#value))
    run(this.#value)
    return stop
  }

  protected put(value: V): void {
    this.#value = value
    for (const listener of [...this.#listeners]) {
      try {
        listener()
      } catch (error) {
        // In a turn of its own, as an error that nothing caught. The other listeners are called all the same.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
