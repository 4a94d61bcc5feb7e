/** The search workers that a page has started for one worker with a store, by their numbers. */
export class SearchWorkers {
  readonly #start: () => Worker
  readonly #failed: (number: number, message: string) => void
  readonly #workers = new Map<number, Worker>()

  constructor(start: () => Worker, failed: (number: number, message: string) => void) {
    this.#start = start
    this.#failed = failed
  }

  /** Starts a search worker, and gives it the port of its tasks. Without a port, ends the one that has this number. */
  change(number: number, port: MessagePort | undefined) {
    if (!port) {
      this.#workers.get(number)?.terminate()
      this.#workers.delete(number)
      return
    }
    const worker = this.#start()
    this.#workers.set(number, worker)
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      this.#failed(number, event.message || 'it could not be loaded')
    })
    worker.postMessage(port, [port])
  }

  /** Ends all. */
  end() {
    for (const worker of this.#workers.values()) worker.terminate()
    this.#workers.clear()
  }
}
