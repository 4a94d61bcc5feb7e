import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import { NidusError } from '../errors/errors.js'

/** Keeps track of writes that were acknowledged under relaxed durability and are not yet durable. */
export class Unflushed {
  readonly #relaxed: boolean
  /** The number of the last such write, or 0. */
  last = 0
  /** True if some of them are not in the store. The next flush, or close, then throws. */
  lost = false

  constructor({ relaxed }: { relaxed: boolean }) {
    this.#relaxed = relaxed
  }

  get any() {
    return this.lost || this.last > 0
  }

  /** Notes an answer. Throws if it is the answer to a flush and writes were lost before. */
  answered(method: Method, ticket: Ticket | undefined, result: unknown) {
    if (!this.#relaxed) return
    // To delete nothing, or to create a collection that exists, writes nothing.
    if (ticket) return void ((result || method === 'upsert' || method === 'setMeta') && (this.last = ticket.number))
    if (method !== 'flush') return
    this.last = 0
    if (!this.lost) return
    this.lost = false
    throw mayBeLost()
  }

  /**
   * Takes the number of the newest write in the store, after its worker or tab has ended. Writes are made in order, so
   * all earlier ones are in the store, too.
   */
  found(newest: number) {
    if (newest >= this.last) return
    this.lost = true
    this.last = 0
  }
}

export const mayBeLost = () =>
  new NidusError(
    'OUTCOME_UNKNOWN',
    'the last writes that were acknowledged under relaxed durability are lost: the tab or worker that had the ' +
      'store ended before it flushed them',
  )
