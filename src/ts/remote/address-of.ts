const STOP = new Error('not started')

/** Returns the address from which `start` starts a worker. It calls `start` for that: bundlers rewrite its address. */
export function addressOf(start: () => Worker): URL | undefined {
  const real = globalThis.Worker
  let found: URL | undefined
  globalThis.Worker = function (address: string | URL) {
    found = new URL(address, location.href)
    throw STOP
  } as unknown as typeof Worker
  try {
    start()
  } catch {
    // Expected: this is STOP.
  } finally {
    globalThis.Worker = real
  }
  return found
}
