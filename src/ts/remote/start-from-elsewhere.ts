// For a page whose origin may not run the package's worker as it is: the package lies on another one (a CDN), or the
// page has none of its own (a sandboxed frame).

const STOP = new Error('not started')

/** The address that `start` would start a worker from. Only the call itself tells: bundlers write it as they like. */
function addressOf(start: () => Worker): URL | undefined {
  const real = globalThis.Worker
  let found: URL | undefined
  globalThis.Worker = function (address: string | URL) {
    found = new URL(address, location.href)
    throw STOP
  } as unknown as typeof Worker
  try {
    start()
  } catch {
    // As was meant.
  } finally {
    globalThis.Worker = real
  }
  return found
}

/** The event comes only as it happens, so it is tried once more. */
const REFUSED_MS = 1000

/** Whether the page's policy (CSP) is why no worker starts. */
function isRefused(start: () => Worker, address: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const over = new AbortController()
    let worker: Worker | undefined
    const end = (refused: boolean) => {
      over.abort()
      worker?.terminate()
      resolve(refused)
    }
    addEventListener('securitypolicyviolation', ({ blockedURI }) => blockedURI === address.href && end(true), {
      signal: over.signal,
    })
    setTimeout(() => end(false), REFUSED_MS)
    try {
      worker = start()
      worker.addEventListener('error', (event) => event.preventDefault())
    } catch {
      // The event tells.
    }
  })
}

/**
 * Starts a worker of the page's own that imports the other's script, which that server must allow (CORS). Undefined:
 * the script was not the trouble.
 */
export async function elsewhere(start: () => Worker): Promise<(() => Worker) | undefined> {
  const address = addressOf(start)
  if (!address) return undefined
  if (address.origin === self.origin) {
    if (await isRefused(start, address))
      throw new DOMException("the page's policy (CSP: worker-src) does not allow it", 'SecurityError')
    return undefined
  }
  // Kept as long as the page: the worker starts further ones from it.
  const own = URL.createObjectURL(new Blob([`import ${JSON.stringify(address.href)}`], { type: 'text/javascript' }))
  return () => new Worker(own, { type: 'module' })
}
