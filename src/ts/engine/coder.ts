import { Step } from '../core/steps.js'
import { deadCore } from '../core/load.js'
import type { OpenCore } from './open-core.js'
import { supply } from './rows.js'
import { breathe, hasBackground, sleep } from '../runtime/schedule.js'

/**
 * While somebody writes, making codes takes a step so often, in milliseconds. With compact memory it takes twice as
 * many, because rows stay in memory until they have codes.
 */
export const WRITING_MS = 50
/** Compact memory holds at most so many rows without codes. A basis needs fewer. */
const UNCODED = 8192
/** Where nothing runs in the background and the clock stands still, a call makes so many steps. */
const CODE_STEPS = 8
/** A search makes codes for as long as a search without codes takes, and never for longer than this. */
const ALONG_MS = 50

/**
 * Makes the codes that make searches quick. It works in the background, and also within searches as long as the
 * background gets too little time.
 */
export class Coder {
  readonly #open: OpenCore
  /** True if somebody wrote a moment ago. */
  readonly #writing: () => boolean
  readonly #ended: () => boolean
  #on = false
  /**
   * The longest time that a search took since the background began, for each query; and the time that searches are to
   * spend on codes. In milliseconds.
   */
  #scan = 0
  #owed = 0

  constructor(open: OpenCore, writing: () => boolean, ended: () => boolean) {
    this.#open = open
    this.#writing = writing
    this.#ended = ended
  }

  /** Is called when there are rows without codes. */
  begin() {
    if (!hasBackground) return this.#steps(CODE_STEPS)
    if (!this.#on) void this.#background().catch(() => {})
  }

  /** Makes codes for the time that the searches before owe, and then runs a search of so many queries. */
  search<T>(queries: number, search: () => T): T {
    if (!hasBackground) this.#steps(CODE_STEPS)
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

  /** With compact memory a write waits here, so that rows do not come quicker than they get codes. */
  async catchUp() {
    for (let steps = 1; this.#open.store.uncoded > UNCODED; steps++) {
      // All is done, or rows must be read first, which the background does.
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
        // No compaction may come between: it gives rows other numbers.
        if (state === Step.Wanting) state = await turns.read(async () => (await supply(rows, reader), this.#code()))
        this.#owed = Math.max(0, this.#owed - (performance.now() - began))
      } while (state !== Step.Done)
    } finally {
      this.#on = false
    }
  }
}
