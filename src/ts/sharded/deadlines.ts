import { aborted, shardError } from './errors.js'

/** The time to wait for an answer, if the caller gives none. */
export const TIMEOUT_MS = 30_000

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`

/** Returns the error of a shard or router that did not answer in time. */
export const silent = (who: string, ms: number, shards?: number[]) =>
  shardError('SHARD_FAILED', `${who} did not answer within ${seconds(ms)}`, shards)

/** Waits for at most `ms`, and until the signal aborts. The work itself goes on without being waited for. */
export function within<T>(work: Promise<T>, ms: number, late: () => Error, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    const stop = (error: Error) => {
      end()
      reject(error)
    }
    const abort = () => stop(aborted(signal!))
    const timer = setTimeout(() => stop(late()), ms)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    work.then(resolve, reject).finally(end)
  })
}
