import { runtime } from '../runtime/configure.js'
import type { SearchWorker } from '../contract/search-worker.js'
import type { Search, Store } from '../core/core.js'
import { NidusError } from '../errors/errors.js'
import { coreModule } from '../core/load.js'
import { needWhole } from '../core/whole.js'
import type { Task, BestRows, Reply } from './worker.js'

class PoolWorker {
  readonly #worker: SearchWorker
  readonly #waiting = new Map<
    number,
    { resolve: (found: BestRows | undefined) => void; reject: (error: unknown) => void }
  >()
  #count = 0
  #ended: NidusError | undefined

  constructor(worker: SearchWorker, onDeath: (why: NidusError) => void) {
    this.#worker = worker
    const die = (text: string) => onDeath(new NidusError('WORKER_FAILED', text))
    worker.addEventListener('message', ({ data }) => {
      const reply = data as Reply
      const waiting = this.#waiting.get(reply?.task)
      if (!waiting) return
      this.#waiting.delete(reply.task)
      if ('error' in reply) waiting.reject(new NidusError('WORKER_FAILED', `a search worker failed: ${reply.error}`))
      else waiting.resolve(reply.found)
    })
    worker.addEventListener('error', (event) => {
      event.preventDefault?.()
      die(`a search worker failed: ${event.message ?? 'it could not be loaded'}`)
    })
    worker.addEventListener('messageerror', () => die('a message of a search worker could not be read'))
  }

  ask(...ask: Task): Promise<BestRows | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended)
      const task = ++this.#count
      this.#waiting.set(task, { resolve, reject })
      this.#worker.postMessage({ task, ask }, ask[0] === 'append' ? [ask[1].buffer as ArrayBuffer] : [])
    })
  }

  end(why: NidusError) {
    this.#ended ??= why
    for (const { reject } of this.#waiting.values()) reject(why)
    this.#waiting.clear()
    this.#worker.terminate()
  }
}

/** A script that loads, but is not a search worker, never answers. */
const OPEN_TIMEOUT_MS = 30_000
const ANSWER_TIMEOUT_MS = 10_000

const silent = (ms: number) =>
  new NidusError(
    'WORKER_FAILED',
    `a search worker did not answer within ${ms / 1000} s: open the store again, or with workers: 1`,
  )

/**
 * The search workers of one store, each with copies of a part of the rows. Chunks of rows are dealt in turn. The first
 * part belongs to the store itself. The store keeps all rows, and searches alone if a worker fails.
 */
export class Pool {
  readonly parts: number
  readonly #parts: PoolWorker[]
  /** The number of chunks that were dealt, with the store's own. */
  #sent = 0
  /** The number of dealt chunks that have codes, so that a worker searches them as fast as the store would. */
  #ready = 0
  #generation = 0

  static async open(workers: number, dimension: number): Promise<Pool> {
    const start = runtime.startSearchWorker
    if (!start)
      throw new NidusError('UNSUPPORTED', 'workers > 1: workers cannot be started here. Open the store with workers: 1')
    needWhole('workers > 1')
    const pool = new Pool(workers, start)
    const timer = setTimeout(() => pool.end(silent(OPEN_TIMEOUT_MS)), OPEN_TIMEOUT_MS)
    try {
      await Promise.all(pool.#parts.map((part) => part.ask('open', coreModule(), dimension)))
      return pool
    } catch (error) {
      pool.end()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  private constructor(workers: number, start: () => SearchWorker) {
    this.parts = workers
    this.#parts = Array.from({ length: workers - 1 }, () => new PoolWorker(start(), (why) => this.end(why)))
  }

  /** True if the workers have a share of the rows to search. */
  get share() {
    return this.#ready > 0
  }

  /** Forgets all rows, because their numbers have changed. */
  reset() {
    this.#resetCounts()
    for (const part of this.#parts) part.ask('clear').catch(() => this.end())
  }

  /**
   * Deals all complete chunks that are not yet dealt. Returns false if there were none. `rows` returns the number of
   * rows, and `run` runs work in the core.
   */
  async deal(core: Store, rows: () => number, run: <T>(work: () => T) => T): Promise<boolean> {
    const chunkRows = run(() => core.chunkRows)
    const generation = this.#generation
    const before = this.#sent
    while (this.#parts.length && (this.#sent + 1) * chunkRows <= run(rows)) {
      const part = this.#parts[(this.#sent % this.parts) - 1]
      if (part) {
        const vectors = new Float32Array(chunkRows * core.dimension)
        run(() => core.copyRows(this.#sent * chunkRows, vectors))
        await part.ask('append', vectors)
        if (generation !== this.#generation) return true
      }
      this.#sent++
    }
    const sent = this.#sent
    if (sent === before) return false
    // The store is faster than a worker without codes.
    await Promise.all(this.#parts.map((part) => part.ask('code')))
    if (generation === this.#generation) this.#ready = sent
    return true
  }

  /**
   * Searches the store's share here and the other shares in the workers, at the same time, and merges what they find.
   * Does nothing if no rows were dealt: then the store searches all of them.
   */
  async search(
    search: Search,
    core: Store,
    queries: Float32Array,
    topK: number,
    minScore: number,
    own: () => void,
    run: <T>(work: () => T) => T,
  ): Promise<void> {
    if (!run(() => search.split(core, this.parts, this.#ready))) return
    const asked = this.#parts.map((part, i) =>
      part.ask(
        'best',
        queries,
        topK,
        minScore,
        run(() => search.rowsFor(core, i + 1)),
      ),
    )
    const found = Promise.all(asked)
    found.catch(() => {})
    own()
    // A browser that ends a worker for lack of memory sends no event.
    const timer = setTimeout(() => this.end(silent(ANSWER_TIMEOUT_MS)), ANSWER_TIMEOUT_MS)
    for (const [i, best] of (await found.finally(() => clearTimeout(timer))).entries()) {
      let at = 0
      best!.counts.forEach((count, query) => {
        const rows = Uint32Array.from(best!.rows.subarray(at, at + count))
        const scores = best!.scores.subarray(at, (at += count))
        run(() => search.merge(core, query, i + 1, rows, scores))
      })
    }
  }

  end(why = new NidusError('CLOSED', 'the store is closed')) {
    this.#resetCounts()
    for (const part of this.#parts.splice(0)) part.end(why)
  }

  #resetCounts() {
    this.#sent = this.#ready = 0
    this.#generation++
  }
}
