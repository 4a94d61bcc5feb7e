import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import { NidusError } from '../errors/errors.js'

/** What a caller was told is written, and not yet that it is durable (relaxed durability). */
export class Unflushed {
  readonly #relaxed: boolean
  /** The number of the last such write. */
  last = 0
  /** Some of them are not in the store: the next flush says so, or closing. */
  lost = false

  constructor({ relaxed }: { relaxed: boolean }) {
    this.#relaxed = relaxed
  }

  get any() {
    return this.lost || this.last > 0
  }

  /** Throws where a flush has to tell of a loss. */
  answered(method: Method, ticket: Ticket | undefined, result: unknown) {
    if (!this.#relaxed) return
    // Deleting nothing, or making what is there, writes nothing.
    if (ticket) return void ((result || method === 'upsert' || method === 'setMeta') && (this.last = ticket.number))
    if (method !== 'flush') return
    this.last = 0
    if (!this.lost) return
    this.lost = false
    throw mayBeLost()
  }

  /** Behind a loss: the newest write that the store has. It was written in order, so all before are there, too. */
  found(newest: number) {
    if (newest >= this.last) return
    this.lost = true
    this.last = 0
  }
}

export const mayBeLost = () =>
  new NidusError(
    'OUTCOME_UNKNOWN',
    'of what was acknowledged under relaxed durability since the last flush, the last writes are lost: the tab or worker that had the store ended before it flushed them',
  )
