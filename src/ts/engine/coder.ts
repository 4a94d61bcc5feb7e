import { Step } from '../core/steps.js'
import { deadCore } from '../core/load.js'
import type { OpenCore } from './open-core.js'
import { supply } from './rows.js'
import { breathe, hasBackground, sleep } from '../runtime/schedule.js'

/** While somebody writes, codes get a small share of the time; a larger one where rows wait for them to be let go. */
export const WRITING_MS = 50
/** Rows without codes that compact memory may hold: more than there must be before there is a basis. */
const UNCODED = 8192
/** Steps that a call takes along where there is no background, nor a clock to go by. */
const CODE_STEPS = 8
/** What one search does for later ones takes no longer than a search without codes, and never longer than this. */
const ALONG_MS = 50

/**
 * Makes the codes that searches are quick by: in the background, and within searches for as long as that gets too
 * little time.
 */
export class Coder {
  readonly #open: OpenCore
  /** Whether somebody wrote a moment ago. */
  readonly #writing: () => boolean
  readonly #ended: () => boolean
  #on = false
  /** How long a search took at most since this began, by the query; and the time that searches owe to codes. */
  #scan = 0
  #owed = 0

  constructor(open: OpenCore, writing: () => boolean, ended: () => boolean) {
    this.#open = open
    this.#writing = writing
    this.#ended = ended
  }

  /** After something came that wants codes. */
  begin() {
    if (!hasBackground) return this.#steps(CODE_STEPS)
    if (!this.#on) void this.#background().catch(() => {})
  }

  /** Runs a search of so many queries, and before it as much of the coding as the searches before it owe. */
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

  /** With compact memory: so that rows do not come quicker than they are let go. */
  async catchUp() {
    for (let steps = 1; this.#open.store.uncoded > UNCODED; steps++) {
      // Done, or rows are wanting: the background sees to that.
      if (this.#code() !== Step.More) return
      if (steps % 8 === 0) await breathe()
    }
  }

  #code(): Step {
    const { store, rows } = this.#open
    return this.#open.run(() => store.codeStep(rows))
  }

  /** Rows that are wanting are read if the medium can do so at once. */
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
        // What is read is of no use once a compaction has given rows other numbers.
        if (state === Step.Wanting) state = await turns.read(async () => (await supply(rows, reader), this.#code()))
        this.#owed = Math.max(0, this.#owed - (performance.now() - began))
      } while (state !== Step.Done)
    } finally {
      this.#on = false
    }
  }
}
