import { breathe } from '../runtime/schedule.js'

/** Milliseconds of work between two turns of the event loop. */
const SLICE_MS = 8
/** The most documents that are read at once. */
const MOST = 4096

/** Divides work into slices. Other work runs between them. */
export class Pace {
  #until = performance.now() + SLICE_MS
  /** The number of documents to read at once, so that a slice takes about its time. */
  size = 64

  /** Does work on `count` documents, and adjusts `size` to the time that it took. */
  timed(count: number, work: () => void) {
    const began = performance.now()
    work()
    const took = performance.now() - began
    if (took > SLICE_MS / 2) this.size = Math.max(1, this.size >> 1)
    else if (count === this.size && took < SLICE_MS / 8) this.size = Math.min(MOST, this.size * 2)
  }

  /** If a slice is over, lets other work run, and then calls `between`. */
  async turn(between: () => void) {
    if (performance.now() < this.#until) return
    await breathe()
    between()
    this.#until = performance.now() + SLICE_MS
  }

  /** Takes steps until one returns true. Lets other work run after each slice. */
  async steps(step: () => boolean, between: () => void) {
    this.#until = performance.now() + SLICE_MS
    while (!step()) if (performance.now() >= this.#until) await this.turn(between)
  }
}
