import { NoReceipt } from '../core/steps.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { Store } from '../core/core.js'
import { NidusError } from '../errors/errors.js'

/**
 * Returns the result of a write that was made before, or undefined if it was not made. Then the caller stages it, and
 * calls `stageReceipt`.
 */
export function madeBefore(
  core: Store,
  method: Method,
  { sender, number, floor, again }: Ticket,
): { result: unknown } | undefined {
  const known: number | NoReceipt = core.receipt(sender, number, number - floor)
  if (known >= 0) return { result: method.endsWith('Collection') ? known > 0 : known }
  // The sender's later writes were made, so this one came too late.
  if (known === NoReceipt.Refused)
    throw new NidusError(
      'STORAGE_FAILED',
      'the write was refused in a tab that ended before it said why; nothing of it was written',
    )
  if (again && known === NoReceipt.Forgotten)
    throw new NidusError(
      'OUTCOME_UNKNOWN',
      'the write was asked so long ago that the store cannot tell any more whether it was made: many others ' +
        'wrote since',
    )
  if (again > 1)
    throw new NidusError(
      'ABORTED',
      'the tab that was to make the write ended, or the page was suspended, before anything was written',
    )
  return undefined
}
