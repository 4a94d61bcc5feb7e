/** Reads exactly these bytes of a file. */
type ReadRange = (at: number, length: number, signal: AbortSignal | undefined) => Promise<Uint8Array>

/** If two ranges are no farther apart than this, one request for both is cheaper than two requests. */
const GAP = 32 * 1024
/** The most bytes of one request. */
const MOST = 4 * 1024 * 1024
const AT_ONCE = 6

interface Wanted {
  at: number
  end: number
  signal: AbortSignal | undefined
  resolve(bytes: Uint8Array): void
  reject(error: unknown): void
}

/**
 * Collects the ranges that are wanted in one turn of the event loop. They are fetched in few requests, some of them at
 * a time.
 */
export class Ranges {
  readonly #read: ReadRange
  #wanted: Wanted[] = []
  #running = 0
  #waiting: (() => void)[] = []

  constructor(read: ReadRange) {
    this.#read = read
  }

  get(at: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ at, end: at + length, signal, resolve, reject })
      if (this.#wanted.length === 1) queueMicrotask(() => this.#flush())
    })
  }

  #flush() {
    const wanted = this.#wanted.sort((a, b) => a.at - b.at)
    this.#wanted = []
    const fetches: { gone: AbortController; parts: Wanted[]; done: Promise<void> }[] = []
    for (let from = 0; from < wanted.length;) {
      const start = wanted[from].at
      let end = wanted[from].end
      let to = from + 1
      for (; to < wanted.length && wanted[to].at <= end + GAP && Math.max(end, wanted[to].end) - start <= MOST; to++)
        end = Math.max(end, wanted[to].end)
      const [gone, parts] = [new AbortController(), wanted.slice(from, to)]
      fetches.push({ gone, parts, done: this.#fetch(start, end, parts, gone.signal) })
      from = to
    }
    // A request goes on as long as anybody wants a part of it.
    const leave = () => {
      for (const { gone, parts } of fetches) if (parts.every(({ signal }) => signal?.aborted)) gone.abort()
    }
    const signals = new Set(wanted.map(({ signal }) => signal))
    for (const signal of signals) signal?.addEventListener('abort', leave)
    void Promise.all(fetches.map(({ done }) => done)).then(() => {
      for (const signal of signals) signal?.removeEventListener('abort', leave)
    })
  }

  async #fetch(start: number, end: number, parts: Wanted[], gone: AbortSignal) {
    if (this.#running >= AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go))
    this.#running++
    try {
      const bytes = await this.#read(start, end - start, gone)
      for (const { at, end, resolve } of parts) resolve(bytes.slice(at - start, end - start))
    } catch (error) {
      for (const { reject } of parts) reject(error)
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }
}
