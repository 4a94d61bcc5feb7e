import { NidusError, aborted } from '../errors/errors.js'

/** One request with its answer. */
export interface Exchange {
  /** Aborts with the error that ends the request early. */
  readonly signal: AbortSignal
  /** Waits for one event: the head of the answer, or the next bytes of its body. */
  hear<T>(work: () => Promise<T>): Promise<T>
  done(): void
}

/** The limits of every wait for a server: the deadline, the caller's signal, and the life of the store. */
export class Deadlines {
  readonly #timeout: number
  readonly #open = new Set<(error: NidusError) => void>()
  #ended: NidusError | undefined
  /** The signal of the opening, until the store is open. */
  signal: AbortSignal | undefined

  constructor(timeout: number, signal: AbortSignal | undefined) {
    this.#timeout = timeout
    this.signal = signal
  }

  begin(name: string, signal?: AbortSignal): Exchange {
    const gone = new AbortController()
    let error: NidusError | undefined
    let fail = (_: NidusError) => {}
    const give = (why: NidusError) => {
      error ??= why
      fail(error)
      gone.abort(error)
    }
    const signals = [signal, this.signal].filter((each) => each !== undefined)
    const abort = () => {
      const by = signals.find((each) => each.aborted)
      if (by) give(aborted(by))
    }
    this.#open.add(give)
    for (const each of signals) each.addEventListener('abort', abort)
    abort()
    if (this.#ended) give(this.#ended)
    return {
      signal: gone.signal,
      hear: async (work) => {
        let timer: ReturnType<typeof setTimeout> | undefined
        try {
          return await new Promise((resolve, reject) => {
            if (error) return reject(error)
            fail = reject
            const silent = () =>
              give(new NidusError('STORAGE_FAILED', `${name}: nothing came for ${this.#timeout / 1000} seconds`))
            timer = setTimeout(silent, this.#timeout)
            work().then(resolve, (cause: unknown) => reject(error ?? cause))
          })
        } finally {
          clearTimeout(timer)
        }
      },
      done: () => {
        this.#open.delete(give)
        for (const each of signals) each.removeEventListener('abort', abort)
      },
    }
  }

  /** Ends all requests, those under way and later ones, with this error. */
  end(error: NidusError) {
    this.#ended = error
    for (const give of [...this.#open]) give(error)
  }
}
