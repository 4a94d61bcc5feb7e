import { aborted, type NidusError } from '../errors/errors.js'

/** A store that is being closed waits so long for a read whose host does not answer. */
const PATIENCE_MS = 1000

/** The reads of a host that may never answer: none outlasts its caller's signal, nor by much the store's closing. */
export class HostReads {
  readonly #hurry = new Set<() => void>()
  #ended: NidusError | undefined

  /** `work` is given a signal that aborts once nobody waits for it any more. */
  for<T>(work: (gone: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const gone = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let [hurry, abort] = [() => {}, () => {}]
    return new Promise<T>((resolve, reject) => {
      const give = (error: NidusError) => {
        reject(error)
        gone.abort(error)
      }
      hurry = () => void (timer ??= setTimeout(() => give(this.#ended!), PATIENCE_MS))
      abort = () => give(aborted(signal!))
      this.#hurry.add(hurry)
      if (this.#ended) hurry()
      signal?.addEventListener('abort', abort)
      if (signal?.aborted) abort()
      else work(gone.signal).then(resolve, reject)
    }).finally(() => {
      clearTimeout(timer)
      this.#hurry.delete(hurry)
      signal?.removeEventListener('abort', abort)
    })
  }

  /** Those that wait, and those to come, are given up with this error. */
  end(error: NidusError) {
    this.#ended = error
    for (const hurry of this.#hurry) hurry()
  }
}
