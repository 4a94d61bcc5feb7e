import type { SearchWorker } from '../contract/search-worker.js'
import type { Rpc } from '../messages/rpc.js'
import type { PageSide } from './protocol.js'

type Listener = Parameters<SearchWorker['addEventListener']>[1]

/**
 * The search workers that a page starts for the worker that has its store. In Firefox, a worker that starts a worker
 * itself can be stuck for ever: about one start in a hundred did not return.
 */
export class PageSearchWorkers {
  readonly #page: Rpc<PageSide>
  readonly #errors = new Map<number, Listener[]>()
  #count = 0

  constructor(page: Rpc<PageSide>) {
    this.#page = page
  }

  /** Starts one more search worker. */
  start(): SearchWorker {
    const number = ++this.#count
    const errors: Listener[] = []
    this.#errors.set(number, errors)
    const { port1, port2 } = new MessageChannel()
    this.#page.tell('searchWorker', number, port2)
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
        this.#page.tell('searchWorker', number)
      },
    }
  }

  /** What the page calls when a search worker has ended. */
  readonly searchWorkerFailed = (number: number, message: string) => {
    for (const listener of this.#errors.get(number) ?? []) listener({ message })
  }
}
