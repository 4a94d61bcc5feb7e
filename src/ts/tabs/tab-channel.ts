/** No message is larger; what is, travels in parts. */
const LARGEST = 4 * 1024 * 1024
/** Messages of at least this size are answered for, so that no more than a few of them wait at the other side. */
const LARGE = 64 * 1024
const WINDOW = 2 * LARGEST
const DEPTH = 6

/** A typed array that came ahead of its message: which of the parts it is, and as what to read it. */
interface Part {
  $part: number
  float: boolean
}
type Frame =
  | { messages: unknown[]; bytes: number }
  | { part: Uint8Array; begins: boolean; bytes: number }
  | { taken: number }
  | { end: true }

type Bytes = Uint8Array | Float32Array

function each(value: unknown, depth: number, found: (array: Bytes) => unknown): unknown {
  if (typeof value !== 'object' || value === null || depth === 0) return value
  if (ArrayBuffer.isView(value)) return found(value as Bytes)
  if (Array.isArray(value)) return value.map((part) => each(part, depth - 1, found))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, each(part, depth - 1, found)]))
}

function sizeOf(message: unknown): number {
  let bytes = 0
  each(message, DEPTH, (array) => (bytes += array.byteLength))
  return bytes
}

/**
 * Between two tabs, a broadcast channel that only they know the name of: in order, in messages of at most 4 MiB, and
 * with back-pressure.
 */
export class TabChannel {
  readonly #channel: BroadcastChannel
  #queue: Frame[] = []
  /** Bytes sent that the other side has not yet taken. */
  #under = 0
  #parts: Uint8Array[][] = []
  #receive: (message: unknown) => void = () => {}
  #drained: (() => void)[] = []
  /** The other side has nothing more to say. */
  onend = () => {}

  constructor(name: string) {
    this.#channel = new BroadcastChannel(name)
    this.#channel.onmessage = ({ data }: MessageEvent<Frame>) => this.#take(data)
  }

  on(receive: (message: unknown) => void) {
    this.#receive = receive
  }

  /**
   * As many messages a frame as fit. What they hold is copied before this returns, or waits its turn unchanged: callers
   * give it away.
   */
  postMessage(messages: unknown[]) {
    let frame: unknown[] = []
    let bytes = 0
    const cut = () => {
      if (frame.length > 0) this.#send({ messages: frame, bytes })
      frame = []
      bytes = 0
    }
    for (const message of messages) {
      const size = sizeOf(message)
      if (bytes + size > LARGEST) cut()
      if (size > LARGEST) this.#send({ messages: [this.#inParts(message)], bytes: 0 })
      else {
        frame.push(message)
        bytes += size
      }
    }
    cut()
  }

  #inParts(message: unknown): unknown {
    let count = 0
    return each(message, DEPTH, (array) => {
      const bytes = new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)
      for (let at = 0; at === 0 || at < bytes.length; at += LARGEST) {
        const part = bytes.slice(at, at + LARGEST)
        this.#send({ part, begins: at === 0, bytes: part.length })
      }
      return { $part: count++, float: array instanceof Float32Array } satisfies Part
    })
  }

  #send(frame: Frame) {
    this.#queue.push(frame)
    this.#pump()
  }

  #pump() {
    while (this.#queue.length > 0) {
      const frame = this.#queue[0]
      const bytes = 'bytes' in frame ? frame.bytes : 0
      if (this.#under > 0 && this.#under + bytes > WINDOW) return
      this.#queue.shift()
      if (bytes >= LARGE) this.#under += bytes
      try {
        this.#channel.postMessage(frame)
      } catch {
        // Closed meanwhile: nobody is there to be told.
      }
    }
    for (const done of this.#drained.splice(0)) done()
  }

  #take(frame: Frame) {
    if ('end' in frame) return this.onend()
    if ('taken' in frame) {
      this.#under -= frame.taken
      return this.#pump()
    }
    if (frame.bytes >= LARGE) this.#channel.postMessage({ taken: frame.bytes } satisfies Frame)
    if ('part' in frame) {
      if (frame.begins) this.#parts.push([])
      this.#parts.at(-1)?.push(frame.part)
      return
    }
    const parts = this.#parts
    if (parts.length > 0) this.#parts = []
    for (const message of frame.messages) this.#receive(parts.length > 0 ? whole(message, parts, DEPTH) : message)
  }

  /** Resolves when all was sent (not: taken). */
  drained(): Promise<void> {
    return this.#queue.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve))
  }

  close(end: boolean) {
    if (end) this.#channel.postMessage({ end: true } satisfies Frame)
    this.#queue = []
    this.#channel.close()
  }
}

function whole(value: unknown, parts: Uint8Array[][], depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === 0 || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map((part) => whole(part, parts, depth - 1))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  const { $part, float } = value as Part
  if ($part === undefined)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, whole(part, parts, depth - 1)]))
  const pieces = parts[$part]
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return float ? new Float32Array(bytes.buffer) : bytes
}
