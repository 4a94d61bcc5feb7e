import { hold } from '../runtime/web-locks.js'

export const leaderLock = (name: string) => `nidus-wasm:leader:${name}`

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
