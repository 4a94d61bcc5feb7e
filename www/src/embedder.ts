import type { FromWorker, ToWorker } from './protocol'

export const DIMENSION = 384

export interface Embedded {
  vectors: Float32Array
  milliseconds: number
}

export class ModelError extends Error {
  override name = 'ModelError'
}

/** The page's side of the embedding worker. */
export class Embedder {
  /** What was embedded since the page was opened: after a reload only queries should be. */
  readonly embedded = { documents: 0, queries: 0 }
  readonly ready: Promise<void>

  #worker = new Worker(new URL('./embed.worker.ts', import.meta.url), { type: 'module', name: 'embedder' })
  #waiting = new Map<number, { resolve(result: Embedded): void; reject(error: Error): void }>()
  #queries = new Map<string, Promise<Embedded>>()
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
    this.ready.catch(() => {}) // whoever needs it awaits it; nobody may need it
    this.#send({
      type: 'start',
      modelsUrl: new URL('models/', document.baseURI).href,
      local: __MODEL_IS_LOCAL__,
    })
  }

  async documents(texts: string[]): Promise<Embedded> {
    await this.ready
    const result = await this.#ask((id) => ({ type: 'documents', id, texts }))
    this.embedded.documents += texts.length
    return result
  }

  /** Rejects with an AbortError when a newer query took its place. */
  query(text: string): Promise<Embedded> {
    const known = this.#queries.get(text)
    if (known) return known
    const asked = this.ready
      .then(() => this.#ask((id) => ({ type: 'query', id, text })))
      .then((result) => {
        this.embedded.queries++
        return result
      })
    asked.catch(() => this.#queries.delete(text))
    this.#queries.set(text, asked)
    if (this.#queries.size > 50) this.#queries.delete(this.#queries.keys().next().value!)
    return asked
  }

  close() {
    this.#worker.terminate()
  }

  #ask(message: (id: number) => ToWorker): Promise<Embedded> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#send(message(id))
    })
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
