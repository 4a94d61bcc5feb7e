import { type Rows } from '../core/core.js'
import { storageError } from '../errors/errors.js'
import type { SyncAccessHandle } from '../types/index.js'
import { HEADER } from '../format/ownership.js'
import type { HostReads } from './host-reads.js'

/** The most bytes of one read, and the most reads at the same time. */
const MOST = 4 * 1024 * 1024
const AT_ONCE = 64

/** Reads rows for the core. `run` turns what the core throws into a NidusError. */
export interface RowReader {
  readonly dimension: number
  data(): SyncAccessHandle
  run<T>(work: () => T): T
  readonly hostReads: HostReads
}

/** Reads the rows that the core wants. Returns undefined if this was done without waiting. */
export function supply(
  rows: Rows,
  { dimension, data, run, hostReads }: RowReader,
  signal?: AbortSignal,
): void | Promise<void> {
  const wanted = run(() => rows.wanted())
  const vectors = new Float32Array(wanted.length * dimension)
  const done = () => run(() => rows.supply(vectors, dimension))
  const handle = data()
  if (!handle.read)
    return hostReads.for(async (gone) => fill(vectors, wanted, dimension, handle, gone), signal).then(done)
  void fill(vectors, wanted, dimension, handle)
  done()
}

/** Fills `vectors` with the rows that have these numbers, in ascending order. */
export function fill(
  vectors: Float32Array,
  numbers: Uint32Array,
  dimension: number,
  handle: SyncAccessHandle,
  gone?: AbortSignal,
): void | Promise<void> {
  const stride = dimension * 4
  const bytes = new Uint8Array(vectors.buffer)
  const pieces: [at: number, to: Uint8Array][] = []
  for (let i = 0; i < numbers.length;) {
    const first = i
    const most = first + Math.max(1, Math.floor(MOST / stride))
    while (++i < numbers.length && i < most && numbers[i] === numbers[i - 1] + 1);
    pieces.push([HEADER + numbers[first] * stride, bytes.subarray(first * stride, i * stride)])
  }
  if (!handle.read) return fillLater(pieces, handle, gone)
  for (const [at, to] of pieces) {
    let read: number
    try {
      read = handle.read(to, { at })
    } catch (error) {
      throw storageError(error, 'rows could not be read')
    }
    if (read !== to.length)
      throw storageError(new Error(`only ${read} of ${to.length} bytes at ${at} were read`), 'rows could not be read')
  }
}

async function fillLater(
  pieces: [at: number, to: Uint8Array][],
  handle: SyncAccessHandle,
  gone: AbortSignal | undefined,
) {
  try {
    // Several pieces are read side by side, because each may be a request to a server.
    for (let from = 0; from < pieces.length && !gone?.aborted; from += AT_ONCE) {
      await Promise.all(
        pieces.slice(from, from + AT_ONCE).map(async ([at, to]) => {
          for (let done = 0; done < to.length && !gone?.aborted;) {
            const bytes = await readSome(handle, at + done, to.length - done, gone)
            to.set(bytes, done)
            done += bytes.length
          }
        }),
      )
    }
  } catch (error) {
    throw storageError(error, 'rows could not be read')
  }
}

/** Reads at least one byte, and perhaps fewer than `length`. The file must have them. */
export async function readSome(
  handle: SyncAccessHandle,
  at: number,
  length: number,
  gone?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = handle.read ? readSync(handle, at, length) : await handle.readAsync!(at, length, gone)
  if (!(bytes?.byteLength > 0)) throw new Error(`no bytes at ${at}, where the file has more`)
  return bytes.subarray(0, length)
}

function readSync(handle: SyncAccessHandle, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const read = handle.read!(bytes, { at })
  if (!(read >= 0 && read <= length))
    throw new Error(`read() returned ${String(read)}, asked for ${length} bytes at ${at}`)
  return bytes.subarray(0, read)
}

/** Delays changes while a read takes several turns of the event loop. */
export class Turns {
  #reading = 0
  #quiet: (() => void) | undefined
  #gate: Promise<void> | undefined

  async read<T>(work: () => Promise<T>, wait = (gate: Promise<void>) => gate): Promise<T> {
    while (this.#gate) await wait(this.#gate)
    this.#reading++
    try {
      return await work()
    } finally {
      if (--this.#reading === 0) this.#quiet?.()
    }
  }

  /** Runs `work` once no read is under way. Reads that come meanwhile wait. */
  async change<T>(work: () => T): Promise<T> {
    let open!: () => void
    this.#gate = new Promise((resolve) => (open = resolve))
    try {
      if (this.#reading > 0) await new Promise<void>((resolve) => (this.#quiet = resolve))
      return work()
    } finally {
      this.#quiet = this.#gate = undefined
      open()
    }
  }
}
