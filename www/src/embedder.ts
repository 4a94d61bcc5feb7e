import { confined } from './confined'
import file from './embed.worker.ts?worker&url'
import type { FromWorker, ToWorker } from './protocol'

export const DIMENSION = 384
/** The number of questions whose vectors are kept. */
const KEPT = 50

interface Embedded {
  vectors: Float32Array
  milliseconds: number
}

export class ModelError extends Error {
  override name = 'ModelError'
}

type Ask = { type: 'documents'; texts: string[] } | { type: 'query'; text: string }

/** One worker with one copy of the model. */
class ModelWorker {
  readonly ready: Promise<void>
  state: 'loading' | 'ready' | 'failed' = 'loading'
  #worker = confined(file, 'embedder')
  #waiting = new Map<number, { resolve(result: Embedded): void; reject(error: Error): void }>()
  #nextId = 0

  constructor(onProgress: (loaded: number, total: number) => void) {
    this.ready = new Promise((resolve, reject) => {
      const fail = (message: string) => {
        const error = new ModelError(message)
        for (const each of this.#waiting.values()) each.reject(error)
        this.#waiting.clear()
        reject(error)
      }
      this.#worker.onerror = (event) => fail(event.message || 'the embedding worker could not start')
      this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.type === 'progress') onProgress(data.loaded, data.total)
        else if (data.type === 'ready') resolve()
        else if (data.type === 'failed') fail(data.message)
        else this.#settle(data)
      }
    })
    this.ready.then(
      () => (this.state = 'ready'),
      () => (this.state = 'failed'), // callers that need the model await `ready`, and get the error
    )
    this.#send({ type: 'start', modelsUrl: new URL('models/', document.baseURI).href, local: __MODEL_IS_LOCAL__ })
  }

  get load() {
    return this.#waiting.size
  }

  ask(what: Ask): Promise<Embedded> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#send({ ...what, id })
    })
  }

  close() {
    this.#worker.terminate()
    for (const each of this.#waiting.values()) each.reject(new DOMException('the worker was stopped', 'AbortError'))
    this.#waiting.clear()
  }

  #settle(data: Extract<FromWorker, { id: number }>) {
    const asker = this.#waiting.get(data.id)
    this.#waiting.delete(data.id)
    if (data.type === 'vectors') asker?.resolve(data)
    else if (data.type === 'error') asker?.reject(new ModelError(data.message))
    else asker?.reject(new DOMException('a newer query took its place', 'AbortError'))
  }

  #send(message: ToWorker) {
    this.#worker.postMessage(message)
  }
}

/**
 * The page's side of the embedding workers. One worker runs as long as the page. While files are indexed, more workers
 * use the other cores. (The runtime's own threads would need headers that a plain static host does not send.)
 */
export class Embedder {
  /**
   * The number of texts that were embedded since the page was opened. After a reload these should only be questions.
   */
  readonly embedded = { documents: 0, queries: 0 }
  /** The vectors of questions that were embedded before. */
  #known = new Map<string, Float32Array>()

  #first: ModelWorker
  #helpers: ModelWorker[] = []
  #team: ModelWorker[]
  #queries = new Map<string, Promise<Embedded>>()

  constructor(onProgress: (loaded: number, total: number) => void) {
    this.#first = new ModelWorker(onProgress)
    this.#team = [this.#first]
  }

  get ready() {
    return this.#first.ready
  }

  get isReady() {
    return this.#first.state === 'ready'
  }

  get hasFailed() {
    return this.#first.state === 'failed'
  }

  /** The number of workers, and so of batches that can be embedded at the same time. */
  get width() {
    return this.#team.length
  }

  /**
   * Starts more workers: as many as leave one core for the page and the store, but at most four in all. More would need
   * too much memory for the speed that they add.
   */
  async callHelpers() {
    await this.ready // so that the other workers find the model in the HTTP cache
    const wanted = Math.min(4, Math.max(2, (navigator.hardwareConcurrency || 2) - 1))
    while (1 + this.#helpers.length < wanted) {
      const helper = new ModelWorker(() => {})
      this.#helpers.push(helper)
      helper.ready.then(
        () => this.#helpers.includes(helper) && this.#team.push(helper),
        () => {}, // the page continues without this worker
      )
    }
  }

  dismissHelpers() {
    for (const helper of this.#helpers) helper.close()
    this.#helpers = []
    this.#team = [this.#first]
  }

  async documents(texts: string[]): Promise<Embedded> {
    await this.ready
    const least = this.#team.reduce((a, b) => (b.load < a.load ? b : a))
    const result = await least.ask({ type: 'documents', texts })
    this.embedded.documents += texts.length
    return result
  }

  /** Returns the vector of a question if it was embedded before. */
  known(text: string): Float32Array | undefined {
    return this.#known.get(text)
  }

  /** Returns the vector of a question. Rejects with an AbortError if a newer question replaced this one. */
  query(text: string): Promise<Embedded> {
    const known = this.#queries.get(text)
    if (known) return known.then((result) => ({ ...result, milliseconds: 0 }))
    const asked = this.ready
      .then(() => this.#first.ask({ type: 'query', text }))
      .then((result) => {
        this.embedded.queries++
        this.#known.set(text, result.vectors)
        if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value!)
        return result
      })
    asked.catch(() => this.#queries.delete(text))
    this.#queries.set(text, asked)
    if (this.#queries.size > KEPT) this.#queries.delete(this.#queries.keys().next().value!)
    return asked
  }

  close() {
    this.dismissHelpers()
    this.#first.close()
  }
}
