/** Larger messages are sent in parts. */
const MAX_MESSAGE = 4 * 1024 * 1024
/** The other side confirms frames of at least this size, so that few of them wait there. */
const CONFIRM_FROM = 64 * 1024
const MAX_UNCONFIRMED = 2 * MAX_MESSAGE
const DEPTH = 6

/** Stands for a typed array that was sent before its message. */
interface Part {
  $part: number
  /** The name of its class. */
  type: ArrayName
}
type Frame =
  | { messages: unknown[]; bytes: number }
  | { part: Uint8Array; begins: boolean; bytes: number }
  | { taken: number }
  | { end: true }

type ArrayName = 'Uint8Array' | 'Uint32Array' | 'Float32Array' | 'Float64Array'
type Bytes = InstanceType<(typeof globalThis)[ArrayName]>

function mapArrays(value: unknown, depth: number, onArray: (array: Bytes) => unknown): unknown {
  if (typeof value !== 'object' || value === null || depth === 0) return value
  if (ArrayBuffer.isView(value)) return onArray(value as Bytes)
  if (Array.isArray(value)) return value.map((part) => mapArrays(part, depth - 1, onArray))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, mapArrays(part, depth - 1, onArray)]))
}

/** Returns the bytes that are sent with a message: of each array its whole buffer. */
function sizeOf(message: unknown): number {
  let bytes = 0
  mapArrays(message, DEPTH, (array) => (bytes += array.buffer.byteLength))
  return bytes
}

/**
 * Connects two tabs by a broadcast channel whose name only they know. Keeps the order of messages, sends at most 4 MiB
 * in one, and waits while the other side is behind.
 */
export class TabChannel {
  readonly #channel: BroadcastChannel
  #queue: Frame[] = []
  /** The number of bytes in frames that the other side has not confirmed. */
  #unconfirmed = 0
  #parts: Uint8Array[][] = []
  #receive: (message: unknown) => void = () => {}
  #drained: (() => void)[] = []
  /** Called when the other side has ended the channel. */
  onend = () => {}

  constructor(name: string) {
    this.#channel = new BroadcastChannel(name)
    this.#channel.onmessage = ({ data }: MessageEvent<Frame>) => this.#onFrame(data)
  }

  on(receive: (message: unknown) => void) {
    this.#receive = receive
  }

  /**
   * Sends messages, as many in a frame as fit. Their contents are copied before this returns, or later if the channel
   * is busy. So the caller must not change them.
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
      if (bytes + size > MAX_MESSAGE) cut()
      if (size > MAX_MESSAGE) this.#send({ messages: [this.#sendParts(message)], bytes: 0 })
      else {
        frame.push(message)
        bytes += size
      }
    }
    cut()
  }

  #sendParts(message: unknown): unknown {
    let count = 0
    return mapArrays(message, DEPTH, (array) => {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
      for (let at = 0; at === 0 || at < bytes.length; at += MAX_MESSAGE) {
        const part = bytes.slice(at, at + MAX_MESSAGE)
        this.#send({ part, begins: at === 0, bytes: part.length })
      }
      return { $part: count++, type: array.constructor.name as ArrayName } satisfies Part
    })
  }

  #send(frame: Frame) {
    this.#queue.push(frame)
    this.#sendQueue()
  }

  #sendQueue() {
    while (this.#queue.length > 0) {
      const frame = this.#queue[0]
      const bytes = 'bytes' in frame ? frame.bytes : 0
      if (this.#unconfirmed > 0 && this.#unconfirmed + bytes > MAX_UNCONFIRMED) return
      this.#queue.shift()
      if (bytes >= CONFIRM_FROM) this.#unconfirmed += bytes
      try {
        this.#channel.postMessage(frame)
      } catch {
        // The channel was closed meanwhile.
      }
    }
    for (const done of this.#drained.splice(0)) done()
  }

  #onFrame(frame: Frame) {
    if ('end' in frame) return this.onend()
    if ('taken' in frame) {
      this.#unconfirmed -= frame.taken
      return this.#sendQueue()
    }
    if (frame.bytes >= CONFIRM_FROM) this.#channel.postMessage({ taken: frame.bytes } satisfies Frame)
    if ('part' in frame) {
      if (frame.begins) this.#parts.push([])
      this.#parts.at(-1)?.push(frame.part)
      return
    }
    const parts = this.#parts
    if (parts.length > 0) this.#parts = []
    for (const message of frame.messages) this.#receive(parts.length > 0 ? joinParts(message, parts, DEPTH) : message)
  }

  /** Resolves when all messages are sent. They may not have arrived. */
  drained(): Promise<void> {
    return this.#queue.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve))
  }

  close(end: boolean) {
    if (end) this.#channel.postMessage({ end: true } satisfies Frame)
    this.#queue = []
    this.#channel.close()
  }
}

function joinParts(value: unknown, parts: Uint8Array[][], depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === 0 || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map((part) => joinParts(part, parts, depth - 1))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  const { $part, type } = value as Part
  if ($part === undefined)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, joinParts(part, parts, depth - 1)]))
  const pieces = parts[$part]
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return new globalThis[type](bytes.buffer)
}
