import type { Backend } from '../contract/backend.js'
import { describe, isPlainObject } from '../core/wire.js'
import { invalid, reading } from '../errors/errors.js'
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
  const all = calls.get(backend)
  if (!all?.size) return closing.get(backend) ?? backend.close()
  const closed = Promise.allSettled(all).then(() => backend.close())
  closing.set(backend, closed)
  return closed
}

/** Returns a copy of settings of texts. The store checks them; here is refused what cannot be sent to a worker. */
export const captureText = (text: unknown): unknown =>
  reading('text', () => {
    const copy = snapshot(text)
    for (const one of parts(copy))
      if (typeof one === 'function' || typeof one === 'symbol' || (typeof one === 'object' && one !== null))
        throw invalid(`text is a field, an array of fields or an object of fields, not ${describe(one)}`)
    return copy
  })

function* parts(value: unknown): Generator<unknown> {
  if (Array.isArray(value) || isPlainObject(value)) for (const part of Object.values(value)) yield* parts(part)
  else yield value
}

/** In a turn of its own: what it throws must not be taken for a failed call. */
export const inTurn = (onProgress: ((done: number, total: number) => void) | undefined) =>
  onProgress && ((done: number, total: number) => queueMicrotask(() => onProgress(done, total)))
