import { NidusError, invalid } from '../errors.js'
import { describe } from '../wire.js'

/** What goes on in one piece: enough that a piece costs nothing, and little enough that nobody waits for it. */
export const PIECE = 1024 * 1024

const bytesOf = (chunk: unknown): Uint8Array => {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  throw invalid(`the source gave ${describe(chunk)} where bytes were expected`)
}

/** Not every browser can iterate over one. */
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

/** The bytes of a source as they are asked for, and how many there are, if that is known. */
export class Input {
  readonly size: number | undefined
  /** How many were taken. */
  taken = 0
  /** There are no more. */
  ended = false
  /** The last `pieces` came to the end before they were complete. */
  short = false
  readonly #chunks: AsyncIterator<unknown>
  #rest: Uint8Array = new Uint8Array()

  constructor(source: unknown) {
    const [chunks, size] = open(source)
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.size = size
  }

  /** Something, if there is anything. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.ended) {
      let next: IteratorResult<unknown>
      try {
        next = await this.#chunks.next()
      } catch (error) {
        this.ended = true
        if (error instanceof NidusError) throw error
        throw new NidusError('FAILED', `the source of the import failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
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

  /** At most so many, in a buffer of their own; fewer only at the end. */
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

  /** The next `size`, or all that there are. */
  async *pieces(size = Infinity): AsyncGenerator<Uint8Array> {
    this.short = false
    while (size > 0) {
      const bytes = await this.#upTo(Math.min(size, PIECE))
      size -= bytes.length
      // Given away: its buffer may be gone when this comes back.
      if (bytes.length > 0) yield bytes
      if (size > 0 && this.ended) {
        this.short = true
        return
      }
    }
  }

  /** Nothing more is wanted. */
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
    if (!source.ok) throw invalid(`what was to be imported could not be fetched: ${source.url} answered ${source.status}`)
    // What is compressed on the way has another length.
    const length = source.headers.get('content-encoding') ? null : source.headers.get('content-length')
    return source.body ? [streamed(source.body), length === null ? undefined : Number(length)] : [once(new Uint8Array()), 0]
  }
  if (is<ReadableStream>(source, 'ReadableStream')) return [streamed(source), undefined]
  if (typeof (source as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === 'function') return [source as AsyncIterable<unknown>, undefined]
  throw invalid(`an import takes a stream, a Blob, a Response or bytes of a tar, or two of them as { data, log }, not ${describe(source)}`)
}

function streamed(stream: ReadableStream) {
  if (stream.locked) throw invalid('the stream that was to be imported is locked: somebody else reads from it')
  return iterate(stream)
}
