import { NidusError, invalid } from '../errors/errors.js'
import { concat } from '../format/bytes.js'
import type { Deadlines, Exchange } from './deadline.js'
import type { Validators } from './file.js'

/** The most bytes of a body whose length was not announced. */
const MOST = 2 ** 32

export const trouble = (url: string, what: string, cause?: unknown) =>
  new NidusError('STORAGE_FAILED', `${url} ${what}`, { cause })
export const changed = (url: string) =>
  new NidusError('STORAGE_FAILED', `${url} has changed since the store was opened: open it again`)

export function absolute(address: string | URL): string {
  try {
    return new URL(address, (globalThis as { location?: { href?: string } }).location?.href).href
  } catch (error) {
    throw invalid(
      `${address} is no address: a static index needs a whole one (https://...), or one relative to the page`,
      error,
    )
  }
}

export interface HttpOptions {
  fetch: typeof fetch
  headers: Record<string, string>
  waits: Deadlines
  /** True if only ranges are accepted, because the whole file must not be in memory. */
  ranged: boolean
  /** Called with the size of the file as soon as it is known. */
  onSize(size: number): void
  onBytes(taken: number): void
}

/** The answer of a server. Its body is read or dropped. */
export class Answer {
  readonly url: string
  readonly response: Response
  readonly #exchange: Exchange

  private constructor(url: string, response: Response, exchange: Exchange) {
    this.url = url
    this.response = response
    this.#exchange = exchange
  }

  static async to(
    { fetch, headers, waits }: HttpOptions,
    url: string,
    more: Record<string, string>,
    method = 'GET',
    signal?: AbortSignal,
  ): Promise<Answer> {
    const exchange = waits.begin(url, signal)
    try {
      const request = { method, headers: { ...headers, ...more }, cache: 'no-store' as const, signal: exchange.signal }
      return new Answer(url, await exchange.hear(() => fetch(url, request)), exchange)
    } catch (error) {
      exchange.done()
      throw error instanceof NidusError ? error : trouble(url, 'could not be fetched', error)
    }
  }

  get status() {
    return this.response.status
  }

  get validators(): Validators {
    return { etag: this.response.headers.get('etag'), modified: this.response.headers.get('last-modified') }
  }

  get coded(): boolean {
    return (this.response.headers.get('content-encoding') ?? 'identity') !== 'identity'
  }

  /** The announced length of the bytes that are read here. */
  get length(): number | undefined {
    const length = this.response.headers.get('content-length')
    return length === null || this.coded || !Number.isSafeInteger(Number(length)) ? undefined : Number(length)
  }

  /** The length of the whole file, which the answer to a range request tells, even if it refuses the range. */
  get total(): number | undefined {
    const total = /\/(\d+)$/.exec(this.response.headers.get('content-range') ?? '')?.[1]
    return total === undefined || !Number.isSafeInteger(Number(total)) ? undefined : Number(total)
  }

  /** Refuses an answer that cannot be used, and drops its body. */
  check(): this {
    const { status, ok } = this.response
    if (ok) return this
    this.drop()
    if (status === 404 || status === 410) throw new NidusError('NOT_FOUND', `there is no ${this.url} (${status})`)
    throw status === 412 ? changed(this.url) : trouble(this.url, `answered ${status}`)
  }

  drop() {
    this.#exchange.done()
    this.response.body?.cancel().catch(() => {})
  }

  /** Returns the body in the pieces in which it arrives, and checks that it has this length. */
  async *pieces(length = this.length): AsyncGenerator<Uint8Array> {
    let at = 0
    const reader = this.response.body?.getReader()
    try {
      while (reader) {
        const { done, value } = await this.#exchange.hear(() => reader.read())
        if (done) break
        if (at === 0) refusePage(this.url, value)
        at += value.length
        if (at > (length ?? MOST))
          throw trouble(
            this.url,
            `sent more than ${length === undefined ? MOST : `the ${length}`} bytes ` +
              `${length === undefined ? 'without saying how many there are' : 'that it announced'}`,
          )
        yield value
      }
      if (length !== undefined && at < length) throw trouble(this.url, `sent ${at} bytes instead of ${length}`)
    } catch (error) {
      throw error instanceof NidusError
        ? error
        : trouble(this.url, `broke off after ${at}${length === undefined ? '' : ` of ${length}`} bytes`, error)
    } finally {
      this.#exchange.done()
      reader?.cancel().catch(() => {})
    }
  }

  async bytes(onBytes: (taken: number) => void, length = this.length): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let size = 0
    try {
      // The length is only what the server claims. Memory is taken for the bytes that have arrived.
      for await (const piece of this.pieces(length)) {
        pieces.push(piece)
        size += piece.length
        onBytes(piece.length)
      }
      return pieces.length === 1 ? pieces[0] : concat(pieces)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new NidusError('OUT_OF_MEMORY', `no memory for the ${size} bytes of ${this.url}`, { cause: error })
    }
  }
}

/** Refuses an HTML page. Many servers answer every address with one, and with status 200. */
function refusePage(url: string, start: Uint8Array) {
  const text = String.fromCharCode(...start.subarray(0, 256)).replace(/^\xef\xbb\xbf/, '')
  if (/^\s*<(!doctype|!--|html|head|body|\?xml)/i.test(text)) {
    throw new NidusError('CORRUPT', `${url} is no store: the server answered with an HTML page`)
  }
}
