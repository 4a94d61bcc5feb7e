import type { Backend } from '../contract/backend.js'
import { reading } from '../errors/errors.js'
import { snapshot } from './reads.js'

/** Calls that may reach the store only after some turns, because they load a part of the package first. */
const calls = new WeakMap<Backend, Set<Promise<unknown>>>()
/** The stores that wait for such calls before they close. */
const closing = new WeakMap<Backend, Promise<void>>()

/** Keeps `closeAfter` from closing the store before the call has ended. */
export function accepted<T>(backend: Backend, call: Promise<T>): Promise<T> {
  const all = calls.get(backend) ?? new Set()
  calls.set(backend, all.add(call))
  return call.finally(() => all.delete(call))
}

/** Closes a store once the calls that were accepted have ended. */
export function closeAfter(backend: Backend): Promise<void> {
  const begun = closing.get(backend)
  if (begun) return begun
  const all = calls.get(backend)
  if (!all?.size) return backend.close()
  const closed = Promise.allSettled(all).then(() => backend.close())
  closing.set(backend, closed)
  return closed
}

/**
 * Returns text settings as JSON. A value that JSON cannot express becomes an empty list, which the store refuses.
 */
export const captureText = (text: unknown): string =>
  reading('text', () =>
    text === undefined
      ? '[]'
      : JSON.stringify(snapshot(text), function (this: { [key: string]: unknown }, key, part: unknown) {
          // A date is a string here already, and NaN does not equal itself.
          const same = this[key] === part && part !== Infinity && part !== -Infinity
          return same && !/^(function|symbol|bigint)$/.test(typeof part) ? part : []
        }),
  )

/** Calls the callback in a turn of its own, so that an error that it throws is not taken for a failed call. */
export const inTurn = (onProgress: ((done: number, total: number) => void) | undefined) =>
  onProgress && ((done: number, total: number) => queueMicrotask(() => onProgress(done, total)))
