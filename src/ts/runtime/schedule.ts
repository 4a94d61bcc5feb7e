declare const setImmediate: ((callback: () => void) => unknown) | undefined

/** Lets waiting work run: messages, timers, other calls. */
export function breathe(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve))
  if (!globalThis.MessageChannel) return sleep(0)
  // Not setTimeout: browsers delay nested timers to 4 ms, and to a second in a background tab.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
}

/** Lets the process end although the timer is still pending. */
export function unref<T>(timer: T): T {
  ;(timer as { unref?(): void }).unref?.()
  return timer
}

export const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** How long the package's own files may take to load, in milliseconds. A slow line needs some seconds for each. */
const LOAD_MS = 60_000

/** Waits for `work`, but not longer than `LOAD_MS`. */
export function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it took over a minute')), LOAD_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/**
 * False in Cloudflare's Workers. Work that no request waits for may never continue there, and it keeps the object
 * alive.
 */
export const hasBackground = globalThis.navigator?.userAgent !== 'Cloudflare-Workers'

/** After this time without a turn of the event loop, timers, messages and background work may be waiting. */
const STARVED_MS = 20
/** The same limit as a count of compared numbers, for runtimes whose clock stands still. They take about 20 ms. */
const STARVED_WORK = 64 * 1024 * 1024
let asked = 0
/** True if there was no turn since then. */
let same = false
let turn: Promise<void> | undefined
let worked = 0

/**
 * Returns a turn of the event loop to wait for, if there was none for a while. Calls that are answered at once and
 * awaited one after the other would let nothing else run. `work` is how many numbers the call goes through.
 */
export function dueTurn(work: number): Promise<void> | undefined {
  if (!hasBackground) {
    // Each call has its own turn: a request must not wait for something that another request began.
    worked += work
    if (worked < STARVED_WORK) return undefined
    worked = 0
    // A timer, because a message would be handled before timers that are due.
    return sleep(0)
  }
  const now = performance.now()
  if (same) {
    if (now - asked <= STARVED_MS) return undefined
    turn ??= breathe().then(() => {
      turn = undefined
      same = false
    })
    return turn
  }
  asked = now
  same = true
  // Only few calls wait for the turn, and to begin a timer takes a third of the time of `breathe`.
  ;(typeof setImmediate === 'function' ? setImmediate : setTimeout)(() => (same = false))
  return undefined
}

/** The length of a slice, in milliseconds. Two slices fit into a budget of 50 ms. */
const SLICE = 20
/** The most steps of a slice: in Cloudflare's Workers the clock stands still while nothing is awaited. */
const STEPS = 8

/** Runs `step` until it returns true. After each slice lets other work run, and then awaits `between`. */
export async function inSlices(step: () => boolean, between?: () => Promise<void>): Promise<void> {
  let began = performance.now()
  for (let steps = 1; !step(); steps++) {
    if (performance.now() - began < SLICE && steps % STEPS !== 0) continue
    await breathe()
    await between?.()
    began = performance.now()
  }
}
