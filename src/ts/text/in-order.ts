import { aborted } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'

/** Runs work that belongs to one name in the order of the calls. */
export class InOrder {
  /** Resolves once no work of the name is left. */
  readonly #last = new Map<string, Promise<unknown>>()

  after<T>(name: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const work = before ? unlessAborted(before, signal).then(run) : run()
    const last = Promise.allSettled([before, work])
    this.#last.set(name, last)
    void last.then(() => {
      if (this.#last.get(name) === last) this.#last.delete(name)
    })
    return work
  }
}

/** Waits for work that never rejects. Rejects if the signal is aborted before the work has ended. */
function unlessAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted(signal))
    const leave = onAbort(signal, () => reject(aborted(signal)))
    void work.then(resolve).finally(leave)
  })
}
