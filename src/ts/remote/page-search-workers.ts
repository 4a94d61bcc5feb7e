import type { SearchWorker } from '../contract/search-worker.js'
import type { PageSide } from './protocol.js'

type Listener = Parameters<SearchWorker['addEventListener']>[1]

/** What a worker calls in its page, without waiting for an answer. */
interface Page {
  searchWorker: { asEvent(...args: Parameters<PageSide['searchWorker']>): unknown }
}

/**
 * The search workers that a page starts for the worker that has its store. In Firefox, a worker that starts a worker
 * itself can be stuck for ever: about one start in a hundred did not return.
 */
export class PageSearchWorkers {
  readonly #page: () => Page
  readonly #errors = new Map<number, Listener[]>()
  #count = 0

  constructor(page: () => Page) {
    this.#page = page
  }

  /** Starts one more search worker. */
  start(): SearchWorker {
    const number = ++this.#count
    const errors: Listener[] = []
    this.#errors.set(number, errors)
    const { port1, port2 } = new MessageChannel()
    this.#page().searchWorker.asEvent(number, port2)
    return {
      postMessage: (message, transfer) => port1.postMessage(message, transfer),
      addEventListener(type, listener) {
        if (type === 'error') errors.push(listener)
        else port1.addEventListener(type, listener)
        port1.start()
      },
      terminate: () => {
        this.#errors.delete(number)
        port1.close()
        this.#page().searchWorker.asEvent(number)
      },
    }
  }

  /** What the page calls when a search worker has ended. */
  readonly searchWorkerFailed = (number: number, message: string) => {
    for (const listener of this.#errors.get(number) ?? []) listener({ message })
  }
}
