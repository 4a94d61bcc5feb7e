import { NidusError, messageOf } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'

/** Settles as `promise` does, or rejects with the signal's reason as soon as it is aborted. */
export function unlessEnded<T>(promise: PromiseLike<T> | T, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error)
    if (signal.aborted) stop()
    const forget = onAbort(signal, stop)
    void Promise.resolve(promise).then(resolve, reject).finally(forget)
  })
}

/** Settles as `promise` does, or resolves after so many milliseconds. */
export async function atMost(promise: PromiseLike<unknown> | void, milliseconds: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)))
  try {
    await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Gives `work` to `run`, which begins it in its turn. `signal` ends the wait for the turn, for its reason. It does not
 * end work that has begun.
 */
export function inTurn<T>(
  run: (work: () => Promise<T>) => Promise<T>,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  let begun = false
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => void (begun || reject(signal.reason as Error)))
    const begin = async () => {
      if (signal.aborted) throw signal.reason
      begun = true
      return work()
    }
    void run(begin).then(resolve, reject).finally(forget)
  })
}

/** A signal whose reason is the error to throw, until `release` is called. */
export interface End {
  signal: AbortSignal
  release: () => void
}

/** Ends with the first of these signals, for its reason, or with the caller's, for the reason that `error` returns. */
export function endOf(
  own: AbortSignal[],
  given?: AbortSignal,
  error: (given: AbortSignal) => NidusError = (given) => given.reason as NidusError,
): End {
  const end = new AbortController()
  const forget: (() => void)[] = []
  const watch = (signal: AbortSignal, reason: () => unknown) => {
    if (signal.aborted) end.abort(reason())
    else forget.push(onAbort(signal, () => end.abort(reason())))
  }
  for (const signal of own) watch(signal, () => signal.reason)
  if (given) watch(given, () => error(given))
  return { signal: end.signal, release: () => forget.forEach((each) => each()) }
}

/** The error of a function or an iterable of the caller's. `what` names it. */
export const callbackFailed = (what: string, error: unknown) =>
  new NidusError('CALLBACK_FAILED', `${what} threw an error: ${messageOf(error)}`, { cause: error })

/** Calls a function of the caller's. Whatever it throws becomes CALLBACK_FAILED. */
export function calling<T>(what: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw callbackFailed(what, error)
  }
}

/** As `calling`, for a function whose answer may come later. Waits for it no longer than until `signal` is aborted. */
export async function waitingFor<T>(what: string, call: () => PromiseLike<T> | T, signal: AbortSignal): Promise<T> {
  try {
    return await unlessEnded(call(), signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw callbackFailed(what, error)
  }
}
