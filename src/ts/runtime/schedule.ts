declare const setImmediate: ((callback: () => void) => unknown) | undefined

/** Lets everything else that waits have its turn: messages, timers, other calls. */
export function breathe(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve))
  if (typeof MessageChannel === 'undefined') return sleep(0)
  // Not setTimeout: browsers stretch nested ones to 4 ms, in the background to a second.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
}

export const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** In Cloudflare's Workers what nobody waits for may never go on, and keeps the object alive. */
export const hasBackground = globalThis.navigator?.userAgent !== 'Cloudflare-Workers'

/** Without a turn for so long, timers, messages and the background are waiting. */
const STARVED_MS = 20
/** Numbers compared, where the clock stands still: some 20 ms of them. */
const STARVED_WORK = 64 * 1024 * 1024
let asked = 0
let turn: Promise<void> | undefined
let worked = 0

/**
 * A turn of the event loop, if it had none of late: calls that are answered at once and awaited one after the other let
 * nothing else run. `work`: how many numbers the call goes through.
 */
export function dueTurn(work: number): Promise<void> | undefined {
  if (!hasBackground) {
    // A turn of its own, since one request must not wait for another's.
    worked += work
    if (worked < STARVED_WORK) return undefined
    worked = 0
    // A timer: behind a mere message other timers would not be due.
    return sleep(0)
  }
  const now = performance.now()
  if (turn) return now - asked > STARVED_MS ? turn : undefined
  asked = now
  turn = breathe().then(() => (turn = undefined))
  return undefined
}

/** Steps of this length leave a 50 ms budget twice over. */
const SLICE = 20
/** In Cloudflare's Workers the clock stands still while nothing is waited for. */
const STEPS = 8

/** Runs `step` until it says that it is done, giving way to others every so often, and to `between`. */
export async function inSlices(step: () => boolean, between?: () => Promise<void>): Promise<void> {
  let began = performance.now()
  for (let steps = 1; !step(); steps++) {
    if (performance.now() - began < SLICE && steps % STEPS !== 0) continue
    await breathe()
    await between?.()
    began = performance.now()
  }
}
