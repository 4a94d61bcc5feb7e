import { hold } from '../runtime/web-locks.js'

export const leaderLock = (name: string) => `nidus-wasm:leader:${name}`

let life: Promise<string> | undefined

/** Returns the name of a lock that this thread holds until it ends. */
export function lifeLock(): Promise<string> {
  life ??= (async () => {
    const name = `nidus-wasm:life:${crypto.randomUUID()}`
    await hold(name).granted
    return name
  })()
  return life
}

/** Calls `ended` when the thread that holds this lock has ended. Returns a function that stops the watch. */
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
