const watched = new WeakMap<AbortSignal, { calls: Set<() => void>; listener: () => void }>()

/**
 * Calls `call` when the signal is aborted. Adds only one listener to each signal, since Node warns of a leak from
 * eleven listeners on. Returns a function that takes `call` back.
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let watch = watched.get(signal)
  if (!watch) {
    const calls = new Set<() => void>()
    watch = { calls, listener: () => calls.forEach((call) => call()) }
    watched.set(signal, watch)
    signal.addEventListener('abort', watch.listener, { once: true })
  }
  const { calls, listener } = watch
  calls.add(call)
  return () => {
    if (!calls.delete(call) || calls.size > 0) return
    signal.removeEventListener('abort', listener)
    watched.delete(signal)
  }
}
