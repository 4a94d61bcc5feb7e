import { NidusError } from '../errors.js'
import type { SyncAccessHandle } from '../types/index.js'
import type { Transaction } from './idb.js'

/** No value in the database is larger. */
export const MAX_EXTENT = 1024 * 1024
/** What is larger than this is never written a second time; below it, as many as `FAN` are merged into one. */
const SMALL = 32 * 1024
const FAN = 16

/** A small extent at the end of the file, merged `rank` times: a byte is rewritten once a rank. */
interface Small { at: number; bytes: Uint8Array; rank: number }

export type FileName = 'data' | 'log'
type Key = [file: FileName, generation: number, at: number]

interface Plan {
  /** All extents from here on go. */
  cutAt: number | undefined
  /** Merged ones: all extents from the first to the second, that included. */
  merged: [number, number] | undefined
  puts: { at: number; bytes: Uint8Array }[]
  taken: number
  length: number
  small: Small[]
}

/** `from`: no extent that begins before it matters. */
export type Read = (sink: ExtentSink, at: number, length: number, from: number) => Promise<Uint8Array>

/** Keys of a file's extents in one generation, from `at` on, up to `end`. An array sorts behind every number. */
export const extentsOf = (file: FileName, generation: number, at = 0, end: number | [] = []) => IDBKeyRange.bound([file, generation, at], [file, generation, end])

/**
 * A file as immutable extents in the database, and what was appended since the last commit in memory.
 * `plan` says what a commit must put, `done` that it has happened; until then nothing is forgotten.
 */
export class ExtentSink implements SyncAccessHandle {
  readonly file: FileName
  readonly generation: number
  /** What the database has, less what was truncated of it. */
  #base: number
  #stored: number
  #pieces: Uint8Array[] = []
  #size: number
  #small: Small[] = []
  /** Here an extent begins: who reads on from here needs nothing before it. */
  boundary = 0
  readonly #read: Read
  readonly #check: () => void

  /** @param check throws if nothing may be written */
  constructor(file: FileName, generation: number, length: number, check: () => void, read: Read) {
    this.file = file
    this.generation = generation
    this.#base = this.#stored = this.#size = length
    this.#check = check
    this.#read = read
  }

  /** Small extents at the end, as they were found, in order. */
  adopt(small: { at: number; bytes: Uint8Array }[]) {
    // Their ranks are forgotten: one by size keeps them from being merged too often or never.
    this.#small = small.map(({ at, bytes }) => ({ at, bytes, rank: bytes.length < SMALL / FAN ? 0 : 1 }))
  }

  /** Committed bytes only, and perhaps fewer than asked for. */
  async readAsync(at: number, length: number): Promise<Uint8Array> {
    if (at + length > this.#base) throw new Error(`only committed bytes can be read, which ${length} at ${at} are not`)
    return this.#read(this, at, length, at === this.boundary ? at : Math.max(0, at - MAX_EXTENT + 1))
  }

  /** Keeps what it is given. */
  write(bytes: Uint8Array, { at }: { at: number }): number {
    this.#check()
    if (at !== this.#size) throw new Error(`a write at ${at}, where the file ends at ${this.#size}: it can only be appended to`)
    if (bytes.length > 0) this.#pieces.push(bytes)
    this.#size += bytes.length
    return bytes.length
  }

  truncate(size: number) {
    this.#check()
    if (size >= this.#size) {
      if (size > this.#size) throw new Error('a file cannot grow by truncating it')
      return
    }
    while (this.#size > size && this.#pieces.length > 0) {
      const last = this.#pieces.pop()!
      this.#size -= last.length
      if (this.#size < size) {
        this.#pieces.push(last.subarray(0, size - this.#size))
        this.#size = size
      }
    }
    if (this.#size > size) this.#size = this.#base = size
  }

  flush() {}
  getSize() {
    return this.#size
  }
  close() {
    this.#pieces = []
    this.#small = []
  }

  get pending(): number {
    return this.#size - this.#base
  }
  /** Bytes that are in the database were truncated, and still are there. */
  get cut(): boolean {
    return this.#base < this.#stored
  }
  get dirty(): boolean {
    return this.cut || this.#pieces.length > 0
  }

  /** What a commit has to do now. Changes nothing here. */
  plan(): Plan {
    const small = this.#small.filter(({ at, bytes }) => at + bytes.length <= this.#base)
    const plan: Plan = { cutAt: this.cut ? this.#base : undefined, merged: undefined, puts: [], taken: this.#pieces.length, length: this.#size, small }
    // Only neighbours may be merged: what a cut left of an extent is not among them.
    const last = small.at(-1)
    if (last && last.at + last.bytes.length !== this.#base) small.length = 0
    const pending = this.pending
    if (pending === 0) return plan
    const count = Math.ceil(pending / MAX_EXTENT)
    const each = Math.ceil(pending / count)
    const bytes = cutUp(this.#pieces, each, pending)
    plan.puts = bytes.map((bytes, i) => ({ at: this.#base + i * each, bytes }))
    if (each > SMALL || count > 1) {
      plan.small = []
      return plan
    }
    small.push({ at: this.#base, bytes: bytes[0]!, rank: 0 })
    this.#merge(plan)
    return plan
  }

  /** As often as sixteen of a rank, or lower, are at the end, they become one of the next. */
  #merge(plan: Plan) {
    const { small } = plan
    for (let rank = 0; ; rank++) {
      let first = small.length
      while (first > 0 && small[first - 1]!.rank <= rank) first--
      const group = small.slice(first)
      if (group.length < FAN) return
      const bytes = concat(group.map(({ bytes }) => bytes))
      const { at } = group[0]!
      small.splice(first, group.length, { at, bytes, rank: rank + 1 })
      plan.merged = [at, this.#base]
      plan.puts = [{ at, bytes }]
      if (bytes.length > SMALL) {
        small.length = 0
        return
      }
    }
  }

  /** Everything of the plan, into a transaction. */
  put({ extents, then }: Transaction, plan: Plan) {
    const { file, generation } = this
    const key = (at: number): Key => [file, generation, at]
    if (plan.cutAt !== undefined) {
      const cutAt = plan.cutAt
      extents.delete(extentsOf(file, generation, cutAt))
      // The one that the cut goes through. One that merely ends there is left as it is.
      const range = extentsOf(file, generation, Math.max(0, cutAt - MAX_EXTENT), cutAt - 1)
      if (cutAt > 0)
        then(extents.openCursor(range, 'prev'), (cursor) => {
          const at = (cursor?.key as Key | undefined)?.[2]
          const bytes = cursor?.value as Uint8Array | undefined
          if (at === undefined || !bytes || at + bytes.length < cutAt) throw damaged(file, cutAt)
          if (at + bytes.length > cutAt) cursor!.update(bytes.slice(0, cutAt - at))
        })
    }
    if (plan.merged) extents.delete(extentsOf(file, generation, ...plan.merged))
    for (const { at, bytes } of plan.puts) extents.put(whole(bytes), key(at))
  }

  /** The plan's transaction is complete. */
  done(plan: Plan) {
    this.#pieces.splice(0, plan.taken)
    this.#base = this.#stored = plan.length
    this.#small = plan.small
  }
}

export const damaged = (file: FileName, at: number) => new NidusError('CORRUPT', `the extent of ${file} at ${at} is missing in the database, or has another length`)

/** The small extents at a file's end, in order, as long as they are small and neighbours; the file must end where it should. */
export function smallEnd({ extents, then }: Transaction, file: FileName, generation: number, length: number, found: (small: { at: number; bytes: Uint8Array }[]) => void) {
  const small: { at: number; bytes: Uint8Array }[] = []
  let end = length
  then(extents.openCursor(extentsOf(file, generation), 'prev'), (cursor) => {
    const at = (cursor?.key as Key | undefined)?.[2] ?? 0
    const bytes = cursor?.value as Uint8Array | undefined
    if (end === length && at + (bytes?.length ?? 0) !== end) throw damaged(file, end)
    if (!cursor || !bytes || bytes.length > SMALL || at + bytes.length !== end) return found(small)
    small.unshift({ at, bytes })
    end = at
    cursor.continue()
  })
}

/** A structured clone of a view takes all of its buffer along. */
const whole = (bytes: Uint8Array) => (bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice())

export function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The same bytes in pieces of `each`; without a copy where there is but one. */
function cutUp(pieces: Uint8Array[], each: number, total: number): Uint8Array[] {
  if (pieces.length === 1 && total <= each) return [pieces[0]!]
  const cut: Uint8Array[] = []
  let piece = 0
  let from = 0
  for (let at = 0; at < total; at += each) {
    const out = new Uint8Array(Math.min(each, total - at))
    for (let filled = 0; filled < out.length;) {
      const part = pieces[piece]!.subarray(from, from + out.length - filled)
      out.set(part, filled)
      filled += part.length
      from += part.length
      if (from === pieces[piece]!.length) {
        piece++
        from = 0
      }
    }
    cut.push(out)
  }
  return cut
}
