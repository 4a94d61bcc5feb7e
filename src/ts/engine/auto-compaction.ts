import { NidusError } from '../errors/errors.js'
import type { Footprint } from '../types/index.js'
import { hasBackground } from '../runtime/schedule.js'

/** Nothing was written for so long. */
const QUIET_MS = 500
/** Fewer dead rows than either of these are not worth the work. */
const LEAST_ROWS = 8192
const LEAST_BYTES = 8 * 1024 * 1024
/** A write that comes meanwhile waits so long for the end; then the compaction is given up. */
const PATIENCE_MS = 250
/** Given up once, it is tried again after this, and each further time after twice as long. */
const AGAIN_MS = 10_000
const MOST_AGAIN = 6

/** What compacting in the background needs of the engine. */
export interface AutoCompacted {
  /** The part of the rows that is dead; cheap. */
  deadRatio(): number
  footprint(): Footprint
  /** How long the first write that waits has waited. */
  waited(): number
  exporting(): boolean
  ended(): boolean
  compact(giveWay: () => boolean): Promise<unknown>
  failed(error: NidusError): void
}

/** Thrown to give up a compaction that nobody asked for. */
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
  /** After one that failed: not before there are so many dead rows. */
  #least = 0

  constructor(share: number, of: AutoCompacted) {
    this.#share = share
    this.#of = of
  }

  /** After each write. */
  wrote() {
    this.#wrote = performance.now()
    if (hasBackground && this.#timer === undefined && this.#of.deadRatio() > this.#share) this.#in(QUIET_MS)
  }

  /** After one that failed: until there is twice as much to gain. */
  putOff() {
    this.#least = 2 * this.#of.footprint().deadRows
  }

  end() {
    clearTimeout(this.#timer)
  }

  #in(ms: number) {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#look()
    }, ms)
    // No process goes on for it.
    ;(this.#timer as { unref?(): void }).unref?.()
  }

  async #look() {
    const of = this.#of
    if (of.ended()) return
    const left = this.#wrote + QUIET_MS - performance.now()
    if (left > 0 || of.exporting()) return this.#in(Math.max(left, QUIET_MS / 10))
    const { deadRows, dimension } = of.footprint()
    const worth = deadRows >= LEAST_ROWS || deadRows * dimension * 4 >= LEAST_BYTES
    if (!worth || deadRows < this.#least || !(of.deadRatio() > this.#share)) return
    try {
      // False: an export began in the meantime.
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
