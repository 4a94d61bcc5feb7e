import { aborted, type NidusError } from '../errors/errors.js'

/** A store that is being closed waits so long for a read that its host does not answer. */
const PATIENCE_MS = 1000

/** Reads of a host that may never answer. A read ends with its caller's signal, and soon after the store is closed. */
export class HostReads {
  readonly #hurry = new Set<() => void>()
  #ended: NidusError | undefined

  /** Runs `work`. The signal that it gets is aborted once nobody waits for its result any more. */
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

  /** Gives up all reads, and all that come later, with this error. */
  end(error: NidusError) {
    this.#ended = error
    for (const hurry of this.#hurry) hurry()
  }
}
