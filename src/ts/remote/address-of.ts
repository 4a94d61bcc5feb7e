const STOP = new Error('not started')

/**
 * Returns the address from which `start` starts a worker, and the options. It calls `start` for that: bundlers rewrite
 * its address.
 */
export function addressOf(start: () => Worker): { address: URL; options: WorkerOptions | undefined } | undefined {
  const real = globalThis.Worker
  let found: ReturnType<typeof addressOf>
  globalThis.Worker = function (address: string | URL, options?: WorkerOptions) {
    found = { address: new URL(address, location.href), options }
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
