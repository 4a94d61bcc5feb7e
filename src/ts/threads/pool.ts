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
  #dead: NidusError | undefined

  constructor(worker: SearchWorker, onDeath: (why: NidusError) => void) {
    this.#worker = worker
    const die = (what: string) => onDeath(new NidusError('WORKER_FAILED', what))
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
      if (this.#dead) return reject(this.#dead)
      const task = ++this.#count
      this.#waiting.set(task, { resolve, reject })
      this.#worker.postMessage({ task, ask }, ask[0] === 'append' ? [ask[1].buffer as ArrayBuffer] : [])
    })
  }

  end(why: NidusError) {
    this.#dead ??= why
    for (const { reject } of this.#waiting.values()) reject(why)
    this.#waiting.clear()
    this.#worker.terminate()
  }
}

/** For a worker that loads but is not ours. */
const OPEN_MS = 30_000
const ANSWER_MS = 10_000

/**
 * Workers that search a share of the rows each. Chunks of rows are dealt in turn, the first one to the store itself; a
 * part holds copies of its own. Whatever goes wrong with one of them, the store has all rows and searches alone.
 */
export class Pool {
  readonly parts: number
  readonly #parts: PoolWorker[]
  /** Chunks that a part has, or that are the store's own. */
  #sent = 0
  /** Chunks of `#sent` that can be searched as quickly as here. */
  #ready = 0
  #generation = 0

  static async open(workers: number, dimension: number): Promise<Pool> {
    const start = runtime.startSearchWorker
    if (!start) throw new NidusError('UNSUPPORTED', 'workers > 1: there are no workers here')
    needWhole('workers > 1')
    const pool = new Pool(workers, start)
    const late = setTimeout(() => pool.end(new NidusError('WORKER_FAILED', 'a search worker did not answer')), OPEN_MS)
    try {
      await Promise.all(pool.#parts.map((part) => part.ask('open', coreModule(), dimension)))
      return pool
    } catch (error) {
      pool.end()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  private constructor(workers: number, start: () => SearchWorker) {
    this.parts = workers
    this.#parts = Array.from({ length: workers - 1 }, () => new PoolWorker(start(), (why) => this.end(why)))
  }

  /** Whether others have a share in searches. */
  get share() {
    return this.#ready > 0
  }

  /** Rows have other numbers from now on. */
  reset() {
    this.#forget()
    for (const part of this.#parts) part.ask('clear').catch(() => this.end())
  }

  /**
   * Deals all chunks whose rows are all there; false: there was none. `rows` tells how many rows there are, `run`
   * enters the core.
   */
  async deal(core: Store, rows: () => number, run: <T>(work: () => T) => T): Promise<boolean> {
    const each = run(() => core.chunkRows)
    const generation = this.#generation
    const before = this.#sent
    while (this.#parts.length && (this.#sent + 1) * each <= run(rows)) {
      const part = this.#parts[(this.#sent % this.parts) - 1]
      if (part) {
        const vectors = new Float32Array(each * core.dimension)
        run(() => core.copyRows(this.#sent * each, vectors))
        await part.ask('append', vectors)
        if (generation !== this.#generation) return true
      }
      this.#sent++
    }
    const sent = this.#sent
    if (sent === before) return false
    // Until they have codes the store is quicker by itself.
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
    // Nobody tells when a browser ends a worker for its memory.
    const late = setTimeout(
      () => this.end(new NidusError('WORKER_FAILED', 'a search worker did not answer')),
      ANSWER_MS,
    )
    for (const [i, best] of (await found.finally(() => clearTimeout(late))).entries()) {
      let at = 0
      best!.counts.forEach((count, query) => {
        const rows = Uint32Array.from(best!.rows.subarray(at, at + count))
        const scores = best!.scores.subarray(at, (at += count))
        run(() => search.merge(core, query, i + 1, rows, scores))
      })
    }
  }

  end(why = new NidusError('CLOSED', 'the store is closed')) {
    this.#forget()
    for (const part of this.#parts.splice(0)) part.end(why)
  }

  #forget() {
    this.#sent = this.#ready = 0
    this.#generation++
  }
}
