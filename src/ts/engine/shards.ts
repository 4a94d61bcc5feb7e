import type { Search, Store } from '../core.js'
import { NidusError } from '../errors.js'
import { coreModule } from '../wasm.js'
import { loadWhole, needWhole } from '../wasm-whole.js'
import type { Asked, Best, Reply } from './shard.js'

/** A worker, as far as it is used here. */
export interface ShardWorker {
  postMessage(message: unknown, transfer: Transferable[]): void
  addEventListener(type: 'message' | 'error' | 'messageerror', listener: (event: { data?: unknown; message?: string; preventDefault?(): void }) => void): void
  terminate(): void
}

let start: (() => ShardWorker) | undefined
/** Each entry's own way to start one more worker; none where there are no workers. */
export const setShardStart = (own: () => ShardWorker) => void (start = own)

class Part {
  readonly #worker: ShardWorker
  readonly #waiting = new Map<number, { resolve: (found: Best | undefined) => void; reject: (error: unknown) => void }>()
  #count = 0
  #dead: NidusError | undefined

  constructor(worker: ShardWorker, onDeath: (why: NidusError) => void) {
    this.#worker = worker
    const die = (what: string) => onDeath(new NidusError('WORKER_FAILED', what))
    worker.addEventListener('message', ({ data }) => {
      const reply = data as Reply
      const waiting = this.#waiting.get(reply?.shard)
      if (!waiting) return
      this.#waiting.delete(reply.shard)
      if ('error' in reply) waiting.reject(new NidusError('WORKER_FAILED', `a search worker failed: ${reply.error}`))
      else waiting.resolve(reply.found)
    })
    worker.addEventListener('error', (event) => {
      event.preventDefault?.()
      die(`a search worker failed: ${event.message ?? 'it could not be loaded'}`)
    })
    worker.addEventListener('messageerror', () => die('a message of a search worker could not be read'))
  }

  ask(...ask: Asked): Promise<Best | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead)
      const shard = ++this.#count
      this.#waiting.set(shard, { resolve, reject })
      this.#worker.postMessage({ shard, ask }, ask[0] === 'append' ? [ask[1].buffer as ArrayBuffer] : [])
    })
  }

  end(why: NidusError) {
    this.#dead ??= why
    for (const { reject } of this.#waiting.values()) reject(why)
    this.#waiting.clear()
    this.#worker.terminate()
  }
}

/** How often the slower of the two ways is tried again. */
const AGAIN = 8

/** Of two ways the one that took less time of late. */
export class Quicker {
  readonly #times: [number, number] = [0, 0]
  #count = 0

  /** Whether it is the second one's turn. */
  next(): boolean {
    const [first, second] = this.#times
    return (second <= first) !== (this.#count++ % AGAIN === 0 && second > 0)
  }

  took(second: boolean, time: number) {
    const way = second ? 1 : 0
    const known = this.#times[way]
    // What holds one up says little of the next.
    this.#times[way] = known ? known + (time - known) / (time < known ? 2 : 8) : time
  }
}

/** For a worker that loads but is not ours. */
const OPEN_MS = 30_000
const ANSWER_MS = 10_000

/**
 * Workers that search a share of the rows each. Chunks of rows are dealt in turn, the first one to the store itself; a part holds copies of its own. Whatever
 * goes wrong with one of them, the store has all rows and searches alone.
 */
export class Shards {
  readonly parts: number
  readonly #parts: Part[]
  /** Chunks that a part has, or that are the store's own. */
  #sent = 0
  /** Chunks of `#sent` that can be searched as quickly as here. */
  #ready = 0
  #generation = 0

  static readonly load = loadWhole

  static async open(workers: number, dimension: number): Promise<Shards> {
    if (!start) throw new NidusError('UNSUPPORTED', 'workers > 1: there are no workers here')
    needWhole('workers > 1')
    const shards = new Shards(workers, start)
    const late = setTimeout(() => shards.end(new NidusError('WORKER_FAILED', 'a search worker did not answer')), OPEN_MS)
    try {
      await Promise.all(shards.#parts.map((part) => part.ask('open', coreModule(), dimension)))
      return shards
    } catch (error) {
      shards.end()
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  private constructor(workers: number, start: () => ShardWorker) {
    this.parts = workers
    this.#parts = Array.from({ length: workers - 1 }, () => new Part(start(), (why) => this.end(why)))
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

  /** Deals all chunks whose rows are all there; false: there was none. `rows` tells how many rows there are, `run` enters the core. */
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

  /** Searches the store's share here and the others there, at once; what they found is merged. False: it is to be searched alone. */
  async search(search: Search, core: Store, queries: Float32Array, topK: number, minScore: number, own: () => void, run: <T>(work: () => T) => T): Promise<boolean> {
    if (!run(() => search.split(core, this.parts, this.#ready))) return false
    const asked = this.#parts.map((part, i) => part.ask('best', queries, topK, minScore, run(() => search.rowsFor(core, i + 1))))
    const found = Promise.all(asked)
    found.catch(() => {})
    own()
    // Nobody tells when a browser ends a worker for its memory.
    const late = setTimeout(() => this.end(new NidusError('WORKER_FAILED', 'a search worker did not answer')), ANSWER_MS)
    for (const [i, best] of (await found.finally(() => clearTimeout(late))).entries()) {
      let at = 0
      best!.counts.forEach((count, query) => {
        const rows = Uint32Array.from(best!.rows.subarray(at, at + count))
        const scores = best!.scores.subarray(at, (at += count))
        run(() => search.merge(core, query, i + 1, rows, scores))
      })
    }
    return true
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
