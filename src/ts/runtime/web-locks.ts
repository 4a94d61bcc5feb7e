import { sleep } from './schedule.js'

// Web Locks are let go by the browser whatever becomes of their holder, which makes them the one thing by which a tab's
// end can be told.

export const locks = () => (typeof navigator === 'undefined' ? undefined : navigator.locks)

const RELEASE_MS = 1000

/** Holds a lock once it is granted; `release` gives it back, or gives up waiting. */
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
      // Where the browser has dropped its locks (storage cleared) it never says so.
      await Promise.race([held.catch(() => {}), sleep(RELEASE_MS)])
    },
  }
}

/** Browsers release the locks of a page or worker that is gone a little late. */
const LATE_RELEASE_MS = 1000

/**
 * What lets go of the lock, or undefined if another keeps it. Where there are no locks (insecure contexts) nobody can
 * keep one.
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
