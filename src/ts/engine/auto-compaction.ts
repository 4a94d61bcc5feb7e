import { NidusError } from '../errors/errors.js'
import type { Footprint } from '../types/index.js'
import { hasBackground, unref } from '../runtime/schedule.js'

/** A compaction begins after this time without a write. */
const QUIET_MS = 500
/** A compaction needs at least this many dead rows, or this many bytes of them. */
const LEAST_ROWS = 8192
const LEAST_BYTES = 8 * 1024 * 1024
/** A compaction is given up once a write has waited this long for it. */
const PATIENCE_MS = 250
/** A compaction that was given up is tried again after this time, and after twice as long each further time. */
const AGAIN_MS = 10_000
const MOST_AGAIN = 6

/** The parts of the engine that automatic compaction uses. */
interface AutoCompacted {
  /** Returns the share of dead rows, quickly. An update of attributes counts as a dead row. */
  deadRatio(): number
  footprint(): Footprint
  /** Returns how long the oldest waiting write has waited, in milliseconds. */
  waited(): number
  exporting(): boolean
  ended(): boolean
  compact(giveWay: () => boolean): Promise<unknown>
  failed(error: NidusError): void
}

/** The error that ends an automatic compaction because a write waits. */
export class GivenUp extends NidusError {
  constructor() {
    super('ABORTED', 'a compaction in the background gave way')
  }
}

/** Compacts an open store when more than a part of its rows is dead, and nobody writes or exports. */
export class AutoCompaction {
  readonly #share: number
  readonly #of: AutoCompacted
  #timer: ReturnType<typeof setTimeout> | undefined
  #wrote = 0
  #givenUp = 0
  /** After a failed compaction: the number of dead rows at which it is tried again. */
  #least = 0

  constructor(share: number, of: AutoCompacted) {
    this.#share = share
    this.#of = of
  }

  /** Notes a write. */
  wrote() {
    this.#wrote = performance.now()
    if (hasBackground && this.#timer === undefined && this.#of.deadRatio() > this.#share) this.#in(QUIET_MS)
  }

  /** Notes that a compaction failed. The next one begins when there are twice as many dead rows. */
  putOff() {
    this.#least = 2 * this.#of.footprint().rows * this.#of.deadRatio()
  }

  end() {
    clearTimeout(this.#timer)
  }

  #in(ms: number) {
    const look = () => {
      this.#timer = undefined
      void this.#look()
    }
    this.#timer = unref(setTimeout(look, ms))
  }

  async #look() {
    const of = this.#of
    if (of.ended()) return
    const left = this.#wrote + QUIET_MS - performance.now()
    if (left > 0 || of.exporting()) return this.#in(Math.max(left, QUIET_MS / 10))
    const { rows, dimension } = of.footprint()
    const deadRows = Math.round(rows * of.deadRatio())
    const worth = deadRows >= LEAST_ROWS || deadRows * dimension * 4 >= LEAST_BYTES
    if (!worth || deadRows < this.#least || !(of.deadRatio() > this.#share)) return
    try {
      // An export began in the meantime.
      if ((await of.compact(() => of.ended() || of.waited() > PATIENCE_MS)) === false) return this.#in(QUIET_MS)
      this.#givenUp = this.#least = 0
    } catch (error) {
      if (of.ended()) return
      if (error instanceof GivenUp) return this.#in(AGAIN_MS * 2 ** Math.min(MOST_AGAIN, this.#givenUp++))
      this.putOff()
      of.failed(error as NidusError)
    }
  }
}
