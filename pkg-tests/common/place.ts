import { Nidus, NidusError, type Attrs, type OpenOptions } from 'nidus-wasm'

/** Where a suite keeps its stores. `fresh` returns a new name. `again`: a store can be closed and opened again. */
export interface Place {
  fresh(): string
  options(): OpenOptions
  again: boolean
}

export const D = 8
export const vector = (...head: number[]) => [...head, ...Array<number>(D - head.length).fill(0)]

/** Returns the function that opens a store at the place, by default one with a new name. */
export const opener =
  (place: Place) =>
  <A extends Attrs = Attrs>(name = place.fresh(), options: OpenOptions = {}) =>
    Nidus.open<A>(name, { dimension: D, ...place.options(), ...options } as OpenOptions)

export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'nothing thrown'
  } catch (error) {
    if (error instanceof NidusError) return error.code
    throw error
  }
}

/**
 * A call that waits for nothing ends within this many turns of the event loop. A timer or a deadline would take
 * thousands.
 */
export const SOON = 200
/**
 * Returns how many turns the event loop made before the call ended. So "at once" can be tested without a clock. Works
 * only in Node.
 */
export async function turnsOf(work: Promise<unknown>) {
  let ended = false
  let turns = 0
  const end = () => void (ended = true)
  void work.then(end, end)
  for (; !ended; turns++) await new Promise((resolve) => setImmediate(resolve))
  return turns
}
