import type { Backend } from '../contract/backend.js'
import type { Listeners, Registration } from '../changes/index.js'
import { checkSignal } from '../arguments/input.js'
import { LISTEN } from '../arguments/keys.js'
import { checkOptions, oneOf } from '../arguments/options.js'
import { describe } from '../core/wire.js'
import { invalid } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'
import type { ListenOptions, StoreListener } from '../types/index.js'
import { changes } from './parts.js'

/** The listeners of each open store. The key is the backend, because a proxy around a store is another object. */
const listeners = new WeakMap<Backend, Listeners>()

function check(event: unknown, listener: unknown) {
  if (event !== 'change') throw invalid(`there is no event ${describe(event)}, only "change"`)
  if (typeof listener !== 'function') throw invalid(`a listener must be a function, not ${describe(listener)}`)
}

/** Adds a listener. Returns a function that removes it. */
export function listen(backend: Backend, event: unknown, listener: StoreListener, options: ListenOptions | undefined) {
  check(event, listener)
  const { ids, signal: given } = checkOptions(options, LISTEN, 'on')
  oneOf(ids, 'on: ids', [true, false])
  const signal = checkSignal(given)
  if (signal?.aborted) return () => {}
  let all = listeners.get(backend)
  const first = !all
  if (!all) listeners.set(backend, (all = new Map()))
  // Called in this turn, so that the listener hears of every later write.
  const begins = backend.call('changes', { ids: ids === true }).then(({ next }) => next)
  const own: Registration = { ids: ids === true, begins }
  const remove = () => void (all.get(listener) === own && unlisten(backend, event, listener))
  all.get(listener)?.forget?.()
  all.set(listener, own)
  if (signal) own.forget = onAbort(signal, remove)
  // If the store has ended, `closed` says so.
  begins.catch(() => {})
  if (first)
    changes().then(
      ({ follow }) => follow(backend, all, begins, () => listeners.get(backend) === all).catch(() => {}),
      (error: unknown) => {
        listeners.delete(backend)
        throw error
      },
    )
  return remove
}

export function unlisten(backend: Backend, event: unknown, listener: StoreListener) {
  check(event, listener)
  const all = listeners.get(backend)
  all?.get(listener)?.forget?.()
  if (!all?.delete(listener) || all.size > 0) return
  listeners.delete(backend)
  backend.call('changes', { end: true }).catch(() => {})
}

/** Removes all listeners of a store, because it is closed. */
export const unlistenAll = (backend: Backend) => void listeners.delete(backend)
