import { NidusError, type NidusErrorCode } from '../errors/errors.js'
import type { Layout } from './layout.js'
import type { Answer } from './protocol.js'

/** Makes an error that is about some shards. If there are none, the error has no `shards`. */
export const shardError = (
  code: NidusErrorCode,
  message: string,
  shards?: number[],
  options?: { cause?: unknown },
): NidusError => Object.assign(new NidusError(code, message, options), shards?.length ? { shards } : {})

/**
 * Thrown if the caller has an older layout. `done` is the number of records that were deleted before this was noticed.
 */
export class Stale {
  constructor(
    readonly layout: Layout,
    public done = 0,
  ) {}
}

export const aborted = (signal: AbortSignal) =>
  new NidusError('ABORTED', 'the call was aborted; what was sent may still be done', { cause: signal.reason })

/** Returns the result of an answer, or throws its error. An error that names no shards is about `shards`. */
export async function unwrap<T>(answer: Answer<T> | Promise<Answer<unknown>>, shards?: number[]): Promise<T> {
  const found = await answer
  if ('ok' in found) return found.ok as T
  if ('error' in found) throw shardError(found.error.code, found.error.message, found.error.shards ?? shards)
  throw new Stale(found.stale, found.done)
}
