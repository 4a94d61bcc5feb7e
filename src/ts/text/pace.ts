import { breathe } from '../runtime/schedule.js'

/** Milliseconds of work between two turns of the event loop. */
const SLICE_MS = 8
/** The most documents that are read at once. */
const MOST = 4096

/** Work in slices. Everything else has its turn between them. */
export class Pace {
  #until = performance.now() + SLICE_MS
  /** How many documents are read at once so that a slice takes its time and no longer. */
  size = 64

  /** Does work on so many documents, and learns how long it takes. */
  timed(count: number, work: () => void) {
    const began = performance.now()
    work()
    const took = performance.now() - began
    if (took > SLICE_MS / 2) this.size = Math.max(1, this.size >> 1)
    else if (count === this.size && took < SLICE_MS / 8) this.size = Math.min(MOST, this.size * 2)
  }

  /** Lets everything else have its turn if a slice is over, and calls `between` after that. */
  async turn(between: () => void) {
    if (performance.now() < this.#until) return
    await breathe()
    between()
    this.#until = performance.now() + SLICE_MS
  }

  /** Takes steps until one returns true. */
  async steps(step: () => boolean, between: () => void) {
    this.#until = performance.now() + SLICE_MS
    while (!step()) if (performance.now() >= this.#until) await this.turn(between)
  }
}
