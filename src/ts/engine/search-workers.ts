import type { Calls, Hits } from '../contract/calls.js'
import { deadCore } from '../core/load.js'
import { loadWhole } from '../core/whole.js'
import type { NidusError } from '../errors/errors.js'
import { sleep } from '../runtime/schedule.js'
import { Pool } from '../threads/pool.js'
import { beginSearch, hitsOf } from './core-calls.js'
import { WRITING_MS } from './coder.js'
import type { OpenCore } from './open-core.js'

/** One search in so many goes the way that was slower, to learn whether it still is. */
const AGAIN = 8

/** Chooses between two ways by the time that each took of late. */
class Quicker {
  readonly #times: [number, number] = [0, 0]
  #count = 0

  /** Returns true if it is the second one's turn. */
  next(): boolean {
    const [first, second] = this.#times
    return second <= first !== (this.#count++ % AGAIN === 0 && second > 0)
  }

  took(second: boolean, time: number) {
    const way = second ? 1 : 0
    const known = this.#times[way]
    // A search that was held up says little about the next one, so a longer time counts less.
    this.#times[way] = known ? known + (time - known) / (time < known ? 2 : 8) : time
  }
}

/** The search workers of one store: they are given rows, and have a share in searches. */
export class SearchWorkers {
  /** Loads the core that search workers need. */
  static readonly load = loadWhole

  readonly #open: OpenCore
  readonly #pool: Pool
  readonly #quicker = new Quicker()
  #dealing = false

  static async open(open: OpenCore): Promise<SearchWorkers> {
    return new SearchWorkers(open, await Pool.open(open.spec.workers, open.store.dimension))
  }

  private constructor(open: OpenCore, pool: Pool) {
    this.#open = open
    this.#pool = pool
  }

  /** Whether they have a share in searches. */
  get share(): boolean {
    return this.#pool.share
  }

  /**
   * Searches together with them or alone, by what was quicker of late: messages take their time, too, and rows that are
   * alike are found in less.
   */
  async search(args: Calls['search']['args'], alone: () => unknown): Promise<Hits> {
    const together = this.#quicker.next()
    const began = performance.now()
    const hits = await (together ? this.#searchTogether(args) : alone())
    this.#quicker.took(together, (performance.now() - began) / args.queries.length)
    return hits as Hits
  }

  async #searchTogether(args: Calls['search']['args']): Promise<Hits> {
    const { store, rows, reader } = this.#open
    const { queries, topK, minScore, withVectors } = args
    for (;;) {
      const search = reader.run(() => beginSearch(store, args))
      try {
        const own = () => reader.run(() => search.own(store, rows))
        await this.#pool.search(search, store, queries, topK, minScore, own, reader.run)
        return reader.run(() => hitsOf(search.advance(store, rows, +withVectors)))!
      } catch (error) {
        // Without them all rows are here.
        if ((error as NidusError).code !== 'WORKER_FAILED') throw error
        this.#pool.end()
      } finally {
        if (!deadCore()) search.free()
      }
    }
  }

  /** Gives them their rows while nobody writes. `rows` tells how many rows there are. */
  async deal(rows: () => number, writing: () => boolean, ended: () => boolean) {
    if (this.#dealing) return
    this.#dealing = true
    try {
      do {
        while (writing()) await sleep(WRITING_MS)
        if (ended()) return
      } while (await this.#pool.deal(this.#open.store, rows, this.#open.reader.run))
    } catch {
      this.#pool.end()
    } finally {
      this.#dealing = false
    }
  }

  /** Rows have other numbers from now on. */
  reset() {
    this.#pool.reset()
  }

  end() {
    this.#pool.end()
  }
}
