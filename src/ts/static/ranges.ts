/** Reads a part of a file: exactly these bytes. */
export type ReadRange = (at: number, length: number, signal: AbortSignal | undefined) => Promise<Uint8Array>

/** Between two wanted ranges, bytes that are cheaper to fetch along than to ask a second time for. */
const GAP = 32 * 1024
/** Of one request. */
const MOST = 4 * 1024 * 1024
const AT_ONCE = 6

interface Wanted {
  at: number
  end: number
  signal: AbortSignal | undefined
  resolve(bytes: Uint8Array): void
  reject(error: unknown): void
}

/** What is wanted in one turn of the event loop is fetched in as few requests as make sense, some at a time. */
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
    for (let from = 0; from < wanted.length; ) {
      const start = wanted[from]!.at
      let end = wanted[from]!.end
      let to = from + 1
      for (; to < wanted.length && wanted[to]!.at <= end + GAP && Math.max(end, wanted[to]!.end) - start <= MOST; to++) end = Math.max(end, wanted[to]!.end)
      void this.#fetch(start, end, wanted.slice(from, to))
      from = to
    }
  }

  async #fetch(start: number, end: number, parts: Wanted[]) {
    // It goes on for as long as anybody wants any of it.
    const gone = new AbortController()
    const wanting = new Set(parts.map(({ signal }) => signal))
    const leave = () => [...wanting].every((signal) => signal?.aborted) && gone.abort()
    for (const signal of wanting) signal?.addEventListener('abort', leave)
    try {
      if (this.#running >= AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go))
      this.#running++
      leave()
      try {
        const bytes = await this.#read(start, end - start, gone.signal)
        for (const { at, end, resolve } of parts) resolve(bytes.slice(at - start, end - start))
      } finally {
        this.#running--
        this.#waiting.shift()?.()
      }
    } catch (error) {
      for (const { reject } of parts) reject(error)
    } finally {
      for (const signal of wanting) signal?.removeEventListener('abort', leave)
    }
  }
}
