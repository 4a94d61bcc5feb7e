import type { Rows, Store } from '../core.js'
import type { SyncAccessHandle } from '../types/index.js'
import { deadCore } from '../wasm.js'
import { WANTING, supply, type RowReader, type Turns } from './rows.js'
import { breathe, hasBackground, sleep } from './schedule.js'

/** While somebody writes, codes get a small share of the time; a larger one where rows wait for them to be let go. */
export const WRITING_MS = 50
/** Rows without codes that compact memory may hold: more than there must be before there is a basis. */
const UNCODED = 8192
/** Steps that a call takes along where there is no background, nor a clock to go by. */
const CODE_STEPS = 8
/** What one search does for later ones takes no longer than a search without codes, and never longer than this. */
const ALONG_MS = 50

/** What making codes needs of the engine. */
export interface Coded {
  readonly core: Store
  readonly rows: Rows
  readonly reader: RowReader
  readonly turns: Turns
  readonly compact: boolean
  data(): SyncAccessHandle
  /** Somebody wrote a moment ago. */
  writing(): boolean
  ended(): boolean
}

/** Makes the codes that searches are quick by: in the background, and within searches for as long as that gets too little time. */
export class Coding {
  readonly #of: Coded
  #on = false
  /** How long a search took at most since this began, by the query; and the time that searches owe to codes. */
  #scan = 0
  #owed = 0

  constructor(of: Coded) {
    this.#of = of
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
    while (performance.now() < until && this.#step() === 0);
    const coded = performance.now()
    const result = search()
    this.#scan = Math.max(this.#scan, (performance.now() - coded) / Math.max(1, queries))
    this.#owed = Math.min(this.#scan, Math.max(0, this.#owed - (coded - began)) + this.#scan)
    return result
  }

  /** With compact memory: so that rows do not come quicker than they are let go. */
  async catchUp() {
    for (let steps = 1; this.#of.core.uncoded > UNCODED; steps++) {
      // Done, or rows are wanting: the background sees to that.
      if (this.#code() > 0) return
      if (steps % 8 === 0) await breathe()
    }
  }

  #code(): number {
    const { core, rows, reader } = this.#of
    return reader.run(() => core.codeStep(rows))
  }

  /** Rows that are wanting are read if the medium can do so at once. */
  #step(): number {
    const state = this.#code()
    if (state !== WANTING || !this.#of.data().read) return state
    void supply(this.#of.rows, this.#of.reader)
    return 0
  }

  #steps(count: number) {
    while (count-- > 0 && this.#step() === 0);
  }

  async #background() {
    const { compact, turns, rows, reader, writing, ended } = this.#of
    this.#on = true
    this.#scan = this.#owed = 0
    try {
      let state: number
      do {
        await (writing() ? sleep(compact ? WRITING_MS / 2 : WRITING_MS) : breathe())
        if (ended() || deadCore()) return
        const began = performance.now()
        state = this.#code()
        // What is read is of no use once a compaction has given rows other numbers.
        if (state === WANTING) state = await turns.read(async () => (await supply(rows, reader), this.#code()))
        this.#owed = Math.max(0, this.#owed - (performance.now() - began))
      } while (state !== 1)
    } finally {
      this.#on = false
    }
  }
}
