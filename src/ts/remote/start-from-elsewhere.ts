// For pages that may not start the package's worker in the usual way, because the package is on another origin (a CDN),
// or because the page has no origin of its own (a sandboxed frame).

import { addressOf } from './address-of.js'

/** How long to wait for the event of a refused worker. The start is tried again, because the event is not repeated. */
const REFUSED_MS = 1000

/** Returns whether no worker starts because of the page's policy (CSP). */
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
      // The event will tell.
    }
  })
}

/**
 * Returns a function that starts a worker of the page's own origin, which imports the script from the other origin.
 * That server must allow it (CORS). Returns undefined if the origin of the script was not the reason.
 */
export async function elsewhere(start: () => Worker): Promise<(() => Worker) | undefined> {
  const address = addressOf(start)?.address
  if (!address) return undefined
  if (address.origin === self.origin) {
    if (await isRefused(start, address))
      throw new DOMException("the page's policy (CSP: worker-src) does not allow it", 'SecurityError')
    return undefined
  }
  // Never revoked: search workers are started from this address later.
  const own = URL.createObjectURL(new Blob([`import ${JSON.stringify(address.href)}`], { type: 'text/javascript' }))
  return () => new Worker(own, { type: 'module' })
}

/** Returns the error if the start that `elsewhere` returned does not start a worker, either. */
export const refused = (message: string) =>
  new DOMException(
    `its script is on another origin, whose server must allow this page to import it (CORS): ${message}`,
    'SecurityError',
  )
