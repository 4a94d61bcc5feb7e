import { sleep } from './schedule.js'

// The browser releases a Web Lock whenever its holder ends, for any reason. Nothing else shows reliably that a tab has
// ended.

export const locks = () => (globalThis.navigator as Navigator | undefined)?.locks

const RELEASE_MS = 1000

/** Asks for a lock and holds it once it is granted. `release` releases it, or stops waiting for it. */
export function hold(name: string, options: LockOptions = {}) {
  let release!: () => void
  const over = new Promise<void>((resolve) => (release = resolve))
  const giveUp = new AbortController()
  let held: Promise<unknown> = Promise.resolve()
  const granted = new Promise<boolean>((resolve, reject) => {
    held = locks()!.request(name, options.ifAvailable ? options : { ...options, signal: giveUp.signal }, (lock) => {
      resolve(lock !== null)
      return lock ? over : undefined
    })
    held.catch(reject)
  })
  granted.catch(() => {})
  return {
    granted,
    async release() {
      release()
      giveUp.abort()
      // A browser that has dropped its locks (because storage was cleared) never settles `held`.
      await Promise.race([held.catch(() => {}), sleep(RELEASE_MS)])
    },
  }
}

/** Browsers release the locks of a page or worker a little after it has ended. */
const LATE_RELEASE_MS = 1000

/**
 * Takes the lock and returns a function that releases it, or undefined if somebody else keeps the lock. Where there are
 * no locks (insecure contexts) nobody can keep one.
 */
export async function holdNow(name: string): Promise<(() => Promise<void>) | undefined> {
  if (!locks()) return async () => {}
  for (const deadline = Date.now() + LATE_RELEASE_MS; ;) {
    const lock = hold(name, { ifAvailable: true })
    if (await lock.granted) return lock.release
    if (Date.now() >= deadline) return undefined
    await sleep(40)
  }
}
