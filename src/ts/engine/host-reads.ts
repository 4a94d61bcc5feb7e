import { aborted, type NidusError } from '../errors/errors.js'

/** A store that is being closed waits this long for a read that its host does not answer. */
const PATIENCE_MS = 1000

/**
 * Runs reads of a host that may never answer. A read ends with its caller's signal, or soon after the store is closed.
 */
export class HostReads {
  readonly #hurry = new Set<() => void>()
  #ended: NidusError | undefined

  /** Runs `work`. Aborts the signal that `work` gets once its result is no longer wanted. */
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

  /** Rejects all reads, also later ones, with this error. */
  end(error: NidusError) {
    this.#ended = error
    for (const hurry of this.#hurry) hurry()
  }
}
