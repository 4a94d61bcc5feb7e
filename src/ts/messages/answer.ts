import type { Backend, CallOptions } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import { packError, unpackError, type ErrorMessage } from '../errors/errors.js'
import type { RecoveryReport } from '../types/index.js'

/**
 * The result of a call as it is sent. An error is sent as a plain object, since birpc would lose its code and cause.
 */
export type Answer<T> = { ok: T } | { error: ErrorMessage }

export async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: await work() }
  } catch (error) {
    return { error: packError(error) }
  }
}

/** Returns the result, or throws the error. */
export function taken<T>(answer: Answer<T>): T {
  if ('error' in answer) throw unpackError(answer.error)
  return answer.ok
}

export interface Opened {
  dimension: number
  storage: string
  recovery: Omit<RecoveryReport, 'compactionError'> & { compactionError?: ErrorMessage }
}

export function packOpened({ dimension, storage, recovery: { compactionError, ...rest } }: Backend): Opened {
  return {
    dimension,
    storage,
    recovery: { ...rest, ...(compactionError && { compactionError: packError(compactionError) }) },
  }
}

export function unpackRecovery({ recovery: { compactionError, ...rest } }: Opened): RecoveryReport {
  return { ...rest, ...(compactionError && { compactionError: unpackError(compactionError) }) }
}

/**
 * Returns the two functions by which messages use a store. The caller chooses the number of a call; `cancel` and
 * `progress` refer to the call by it.
 */
export function callsOf(
  backend: () => Backend,
  progress: (number: number, done: number, total: number) => void,
  from?: string,
) {
  const controllers = new Map<number, AbortController>()
  return {
    call: (
      number: number,
      method: Method,
      args: object,
      wantsProgress: boolean,
      ticket: Ticket | undefined,
    ): Promise<Answer<unknown>> =>
      answer(async () => {
        const abort = new AbortController()
        controllers.set(number, abort)
        const options: CallOptions = { signal: abort.signal, ticket, from }
        if (wantsProgress) options.onProgress = (done, total) => progress(number, done, total)
        try {
          return await backend().call(method, args, options)
        } finally {
          controllers.delete(number)
        }
      }),
    cancel: (number: number) => controllers.get(number)?.abort(),
  }
}
