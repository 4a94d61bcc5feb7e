import { Step } from '../core/steps.js'
import { deadCore } from '../core/load.js'
import { loadPart } from '../core/parts.js'
import { messageOf } from '../errors/errors.js'
import type { OpenCore } from './open-core.js'
import { supply } from './rows.js'
import { breathe, hasBackground, sleep } from '../runtime/schedule.js'

/**
 * The time between two steps while the store is written to, in milliseconds. With compact memory the steps are twice as
 * frequent, because rows stay in memory until they have codes.
 */
export const WRITING_MS = 50
/** The most rows without codes in compact memory. A basis needs fewer. */
const UNCODED = 8192
/** The number of steps of one call in a runtime where nothing runs in the background and the clock stands still. */
const CODE_STEPS = 8
/**
 * The most time that one search spends on making codes, in milliseconds. A search spends less if queries take less time
 * than this.
 */
const ALONG_MS = 50
/** The first step waits this long, in milliseconds, so that a search right after the opening does not wait for it. */
const FIRST_MS = 20
/** If the part of the core that makes codes could not be loaded, a write after this time tries again. */
const RETRY_MS = 60_000

/**
 * Makes the codes, in the background. If the background gets too little time, searches make some of them, too.
 */
export class Coder {
  readonly #open: OpenCore
  /** Returns true shortly after a write. */
  readonly #writing: () => boolean
  readonly #ended: () => boolean
  #on = false
  /** True once the part of the core is there that makes codes. */
  #loaded = false
  #waited = !hasBackground
  /** Nothing begins before this time. */
  #notBefore = 0
  /** The longest time that one query took since the background began, in milliseconds. */
  #scan = 0
  /** The time that searches still have to spend on codes, in milliseconds. */
  #owed = 0

  constructor(open: OpenCore, writing: () => boolean, ended: () => boolean) {
    this.#open = open
    this.#writing = writing
    this.#ended = ended
  }

  /** Starts to make codes if there are enough rows. Called when there are rows without codes. */
  begin() {
    if (this.#on || this.#ended() || performance.now() < this.#notBefore) return
    if (!this.#loaded && this.#open.store.uncoded === 0) return
    if (!this.#waited) return this.#beginAfter(sleep(FIRST_MS))
    const loading = loadPart('codes')
    this.#loaded = !loading
    if (loading) this.#beginAfter(loading)
    else if (hasBackground) void this.#background().catch(() => {})
    else this.#steps(CODE_STEPS)
  }

  /**
   * Begins after `wait`: a short time, or the loading of the part of the core that makes codes. Until then, searches
   * scan the rows.
   */
  #beginAfter(wait: Promise<void>) {
    this.#waited = true
    this.#notBefore = Infinity
    wait.then(
      () => {
        this.#notBefore = 0
        this.begin()
      },
      (error: unknown) => {
        // Nobody waits for codes, and searches find the same without them.
        if (!this.#ended()) console.warn(`searches stay slow: ${messageOf(error)}`)
        this.#notBefore = performance.now() + RETRY_MS
      },
    )
  }

  /** Makes codes for the time that is owed, and then runs a search of this number of queries. */
  search<T>(queries: number, search: () => T): T {
    if (!hasBackground) this.begin()
    if (!this.#on) return search()
    const began = performance.now()
    const until = began + Math.min(this.#owed, this.#scan, ALONG_MS)
    while (performance.now() < until && this.#step() === Step.More);
    const coded = performance.now()
    const result = search()
    this.#scan = Math.max(this.#scan, (performance.now() - coded) / Math.max(1, queries))
    this.#owed = Math.min(this.#scan, Math.max(0, this.#owed - (coded - began)) + this.#scan)
    return result
  }

  /** Makes writes with compact memory wait until only a limited number of rows has no codes. */
  async catchUp() {
    for (let steps = 1; this.#open.store.uncoded > UNCODED; steps++) {
      // Either no row is left, or rows must be read first, which the background does.
      if (this.#code() !== Step.More) return
      if (steps % 8 === 0) await breathe()
    }
  }

  #code(): Step {
    const { store, rows } = this.#open
    return this.#open.run(() => store.codeStep(rows))
  }

  /** Makes one step. If rows are missing, reads them if the medium can do so at once. */
  #step(): Step {
    const state = this.#code()
    if (state !== Step.Wanting || !this.#open.files.data.read) return state
    void supply(this.#open.rows, this.#open.reader)
    return Step.More
  }

  #steps(count: number) {
    while (count-- > 0 && this.#step() === Step.More);
  }

  async #background() {
    const { spec, turns, rows, reader } = this.#open
    this.#on = true
    this.#scan = this.#owed = 0
    try {
      let state: Step
      do {
        await (this.#writing() ? sleep(spec.compactMemory ? WRITING_MS / 2 : WRITING_MS) : breathe())
        if (this.#ended() || deadCore()) return
        const began = performance.now()
        state = this.#code()
        // `turns.read` keeps a compaction out, which would give rows other numbers.
        if (state === Step.Wanting) state = await turns.read(async () => (await supply(rows, reader), this.#code()))
        this.#owed = Math.max(0, this.#owed - (performance.now() - began))
      } while (state !== Step.Done)
    } finally {
      this.#on = false
    }
  }
}
