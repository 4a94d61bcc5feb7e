import { sleep } from '../engine/schedule.js'

// Web Locks are let go by the browser whatever becomes of their holder, which makes them the one thing by which a tab's end can be told.

export const locks = () => (typeof navigator === 'undefined' ? undefined : navigator.locks)

export const leaderLock = (name: string) => `nidus-wasm:leader:${name}`

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

/** What lets go of the lock, or undefined if another keeps it. */
export async function holdNow(name: string, wait = LATE_RELEASE_MS): Promise<(() => Promise<void>) | undefined> {
  for (const deadline = Date.now() + wait; ;) {
    const lock = hold(name, { ifAvailable: true })
    if (await lock.granted) return lock.release
    if (Date.now() >= deadline) return undefined
    await sleep(40)
  }
}

let life: Promise<string> | undefined

/** The name of a lock that is held as long as this thread lives. */
export function lifeLock(): Promise<string> {
  life ??= (async () => {
    const name = `nidus-wasm:life:${crypto.randomUUID()}`
    await hold(name).granted
    return name
  })()
  return life
}

/** Calls back when the thread that holds this lock is gone. Returns what stops the watch. */
export function onEnd(lifeLock: string, ended: () => void): () => void {
  const watch = hold(lifeLock, { mode: 'shared' })
  let stopped = false
  watch.granted.then(
    () => {
      if (!stopped) ended()
      void watch.release()
    },
    () => {},
  )
  return () => {
    stopped = true
    void watch.release()
  }
}
