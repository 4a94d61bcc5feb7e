import { NidusError, invalid } from '../errors/errors.js'
import { describe } from '../core/wire.js'

/**
 * The number of bytes of one piece. It is large enough that the cost of each piece does not matter, and small enough
 * that nobody waits long for it.
 */
export const PIECE = 1024 * 1024

const bytesOf = (chunk: unknown): Uint8Array => {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  throw invalid(`the source gave ${describe(chunk)} where bytes were expected`)
}

/** Reads a stream by hand, because not every browser can iterate over one. */
async function* iterate(stream: ReadableStream): AsyncGenerator<unknown> {
  const reader = stream.getReader()
  let whole = false
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) {
        whole = true
        return
      }
      yield value
    }
  } finally {
    if (!whole) reader.cancel().catch(() => {})
  }
}

const is = <T>(value: unknown, name: 'ReadableStream' | 'Blob' | 'Response'): value is T => {
  const type = (globalThis as unknown as Record<string, (new () => unknown) | undefined>)[name]
  return type !== undefined && value instanceof type
}

/** The bytes of a source, read as they are asked for, and their number, if it is known. */
export class Input {
  readonly size: number | undefined
  /** The number of bytes that were taken. */
  taken = 0
  /** True if there are no more bytes. */
  ended = false
  /** True if the last `pieces` met the end before they were complete. */
  short = false
  readonly #chunks: AsyncIterator<unknown>
  #rest: Uint8Array = new Uint8Array()

  constructor(source: unknown) {
    const [chunks, size] = open(source)
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.size = size
  }

  /** Reads more bytes. Returns false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.ended) {
      let next: IteratorResult<unknown>
      try {
        next = await this.#chunks.next()
      } catch (error) {
        this.ended = true
        if (error instanceof NidusError) throw error
        throw new NidusError(
          'FAILED',
          `the source of the import failed: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        )
      }
      if (next.done) this.ended = true
      else this.#rest = bytesOf(next.value)
    }
    return !this.ended
  }

  #take(most: number): Uint8Array {
    const bytes = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(bytes.length)
    this.taken += bytes.length
    return bytes
  }

  /** Returns at most `size` bytes, in a buffer of their own. Returns fewer only at the end. */
  async #upTo(size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size)
    let filled = 0
    while (filled < size && (await this.#fill())) {
      const more = this.#take(size - filled)
      bytes.set(more, filled)
      filled += more.length
    }
    return filled < size ? bytes.slice(0, filled) : bytes
  }

  async exactly(size: number): Promise<Uint8Array | undefined> {
    const bytes = await this.#upTo(size)
    return bytes.length === size ? bytes : undefined
  }

  async skip(size: number): Promise<boolean> {
    while (size > 0 && (await this.#fill())) size -= this.#take(size).length
    return size === 0
  }

  /** Returns the next `size` bytes in pieces, or all bytes that there are. */
  async *pieces(size = Infinity): AsyncGenerator<Uint8Array> {
    this.short = false
    while (size > 0) {
      const bytes = await this.#upTo(Math.min(size, PIECE))
      size -= bytes.length
      // The receiver owns the piece: its buffer may be gone when this goes on.
      if (bytes.length > 0) yield bytes
      if (size > 0 && this.ended) {
        this.short = true
        return
      }
    }
  }

  /** Ends the reading early. */
  end() {
    this.ended = true
    this.#rest = new Uint8Array()
    void this.#chunks.return?.().catch(() => {})
  }
}

async function* once(bytes: Uint8Array) {
  yield bytes
}

function open(source: unknown): [AsyncIterable<unknown>, number | undefined] {
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) {
    const bytes = bytesOf(source)
    return [once(bytes), bytes.length]
  }
  if (is<Blob>(source, 'Blob')) return [iterate(source.stream()), source.size]
  if (is<Response>(source, 'Response')) {
    if (!source.ok)
      throw invalid(`the source of the import could not be fetched: ${source.url} answered ${source.status}`)
    // If the body is compressed on the way, the header tells another length.
    const length = source.headers.get('content-encoding') ? null : source.headers.get('content-length')
    return source.body
      ? [streamed(source.body), length === null ? undefined : Number(length)]
      : [once(new Uint8Array()), 0]
  }
  if (is<ReadableStream>(source, 'ReadableStream')) return [streamed(source), undefined]
  if (typeof (source as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === 'function')
    return [source as AsyncIterable<unknown>, undefined]
  throw invalid(
    'an import takes a stream, a Blob, a Response or bytes of a tar, or two of them as { data, log }, not ' +
      `${describe(source)}`,
  )
}

function streamed(stream: ReadableStream) {
  if (stream.locked) throw invalid('the stream to import is locked: somebody else reads from it')
  return iterate(stream)
}
