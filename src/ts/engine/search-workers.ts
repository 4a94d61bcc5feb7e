import type { Calls, Hits } from '../contract/calls.js'
import { deadCore } from '../core/load.js'
import { loadWhole } from '../core/whole.js'
import type { NidusError } from '../errors/errors.js'
import { sleep } from '../runtime/schedule.js'
import { Pool } from '../threads/pool.js'
import { beginSearch, hitsOf } from './core-calls.js'
import { WRITING_MS } from './coder.js'
import type { OpenCore } from './open-core.js'

/** One in this many searches takes the way that was slower, to learn whether it still is slower. */
const AGAIN = 8

/** Chooses the quicker of two ways, by the times that each took recently. */
class Quicker {
  readonly #times: [number, number] = [0, 0]
  #count = 0

  /** Returns true if the second way is to be used. */
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

/** Gives the search workers of one store their rows, and their share of searches. */
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

  /** True if the workers have a share of the rows to search. */
  get share(): boolean {
    return this.#pool.share
  }

  /**
   * Searches with the workers or alone, whichever was quicker recently. Alone can be quicker, because messages to
   * workers take time.
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
        // The store has all rows, and can search alone.
        if ((error as NidusError).code !== 'WORKER_FAILED') throw error
        this.#pool.end()
      } finally {
        if (!deadCore()) search.free()
      }
    }
  }

  /** Gives the workers their rows while the store is not written to. `rows` returns the number of rows. */
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

  /** Makes the workers forget all rows, because their numbers have changed. */
  reset() {
    this.#pool.reset()
  }

  end() {
    this.#pool.end()
  }
}
