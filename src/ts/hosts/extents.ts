import { NidusError } from '../errors/errors.js'

/** No extent is larger. */
export const MAX_EXTENT = 1024 * 1024
/** What is larger than this is never written a second time; below it, as many as `FAN` are merged into one. */
export const SMALL = 32 * 1024
const FAN = 16

/** A small extent at the end of the file, merged `rank` times: a byte is rewritten once a rank. */
interface Small {
  at: number
  bytes: Uint8Array
  rank: number
}

export type FileName = 'data' | 'log'
/** As they are found at a file's end. */
export interface StoredExtent {
  at: number
  bytes: Uint8Array
}

export interface Plan {
  /** All extents from here on go. */
  cutAt: number | undefined
  /** Merged ones: all extents from the first to the second, that included. */
  merged: [number, number] | undefined
  puts: { at: number; bytes: Uint8Array }[]
  taken: number
  length: number
  small: Small[]
}

/**
 * A file as immutable extents in a database, and what was appended since the last commit in memory.
 * `plan` says what a commit must put, `done` that it has happened; until then nothing is forgotten.
 */
export class Extents {
  readonly file: FileName
  readonly generation: number
  /** What the database has, less what was truncated of it. */
  #base: number
  #stored: number
  #pieces: Uint8Array[] = []
  #size: number
  #small: Small[] = []
  readonly #check: () => void

  /** @param check throws if nothing may be written */
  constructor(file: FileName, generation: number, length: number, check: () => void) {
    this.file = file
    this.generation = generation
    this.#base = this.#stored = this.#size = length
    this.#check = check
  }

  /** Small extents at the end, as they were found, in order. */
  adopt(small: StoredExtent[]) {
    // Their ranks are forgotten: one by size keeps them from being merged too often or never.
    this.#small = small.map(({ at, bytes }) => ({ at, bytes, rank: bytes.length < SMALL / FAN ? 0 : 1 }))
  }

  /** Keeps what it is given. */
  write(bytes: Uint8Array, { at }: { at: number }): number {
    this.#check()
    if (at !== this.#size)
      throw new Error(`a write at ${at}, where the file ends at ${this.#size}: it can only be appended to`)
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

  /** Bytes that were committed, and not truncated since. */
  get committed(): number {
    return this.#base
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
    const plan: Plan = {
      cutAt: this.cut ? this.#base : undefined,
      merged: undefined,
      puts: [],
      taken: this.#pieces.length,
      length: this.#size,
      small,
    }
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
    small.push({ at: this.#base, bytes: bytes[0], rank: 0 })
    this.#merge(plan)
    return plan
  }

  /** As often as sixteen of a rank, or lower, are at the end, they become one of the next. */
  #merge(plan: Plan) {
    const { small } = plan
    for (let rank = 0; ; rank++) {
      let first = small.length
      while (first > 0 && small[first - 1].rank <= rank) first--
      const group = small.slice(first)
      if (group.length < FAN) return
      const bytes = concat(group.map(({ bytes }) => bytes))
      const { at } = group[0]
      small.splice(first, group.length, { at, bytes, rank: rank + 1 })
      plan.merged = [at, this.#base]
      plan.puts = [{ at, bytes }]
      if (bytes.length > SMALL) {
        small.length = 0
        return
      }
    }
  }

  /** The plan's transaction is complete. */
  done(plan: Plan) {
    this.#pieces.splice(0, plan.taken)
    this.#base = this.#stored = plan.length
    this.#small = plan.small
  }
}

export const damaged = (file: FileName, at: number) =>
  new NidusError(
    'CORRUPT',
    `the extent of ${file} at ${at} is missing in the database, or is not what was written there. Nothing was changed`,
  )

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
  if (pieces.length === 1 && total <= each) return [pieces[0]]
  const cut: Uint8Array[] = []
  let piece = 0
  let from = 0
  for (let at = 0; at < total; at += each) {
    const out = new Uint8Array(Math.min(each, total - at))
    for (let filled = 0; filled < out.length;) {
      const part = pieces[piece].subarray(from, from + out.length - filled)
      out.set(part, filled)
      filled += part.length
      from += part.length
      if (from === pieces[piece].length) {
        piece++
        from = 0
      }
    }
    cut.push(out)
  }
  return cut
}
