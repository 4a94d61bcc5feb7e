import type { Store } from '../core.js'
import { NidusError } from '../errors.js'
import type { Method } from './backend.js'

/** Names a write, so that it is made once, however often and of whomever it is asked. */
export interface Ticket {
  sender: string
  /** Ascending, and a sender's writes reach the store in their order. */
  number: number
  /** The sender had the answers to all before this one. */
  floor: number
  /** 1: it was asked before. 2: and is not wanted any more, or its data are gone: was it made? */
  again: number
}

/** Sixteen letters, which begin with the time: of later ones it is known that they were never forgotten. */
export const newSender = () =>
  Date.now().toString(36).padStart(9, '0') + Array.from(crypto.getRandomValues(new Uint8Array(7)), (n) => (n % 36).toString(36)).join('')

/** The result of a write that was made before. Undefined: it is to be staged now, and then `stageReceipt`. */
export function madeBefore(core: Store, method: Method, { sender, number, floor, again }: Ticket): { result: unknown } | undefined {
  const known = core.receipt(sender, number, number - floor)
  if (known >= 0) return { result: method.endsWith('Collection') ? known > 0 : known }
  // Writes of its sender that came behind it were made.
  if (known === -2) throw new NidusError('STORAGE_FAILED', 'the write was refused in a tab that ended before it said why; nothing of it was written')
  if (again && known === -3) throw new NidusError('OUTCOME_UNKNOWN', 'the write was asked so long ago that the store cannot tell any more whether it was made: many others wrote since')
  if (again > 1) throw new NidusError('ABORTED', 'the tab that was to make the write ended, or the page was suspended, before anything was written')
  return undefined
}

/** What a caller was told is written, and not yet that it is durable (relaxed durability). */
export class Owed {
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
  new NidusError('OUTCOME_UNKNOWN', 'of what was acknowledged under relaxed durability since the last flush, the last writes are lost: the tab or worker that had the store ended before it flushed them')
