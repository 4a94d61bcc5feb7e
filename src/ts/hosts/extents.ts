import { NidusError } from '../errors/errors.js'
import { concat } from '../format/bytes.js'

/** The most bytes of an extent. */
export const MAX_EXTENT = 1024 * 1024
/** A size in bytes. A larger extent is never rewritten. Smaller ones are merged, `FAN` of them into one. */
export const SMALL = 32 * 1024
const FAN = 16

/**
 * A small extent at the end of the file. `rank` is the number of times that it was merged, so each of its bytes was
 * rewritten that many times.
 */
interface Small {
  at: number
  bytes: Uint8Array
  rank: number
}

export type FileName = 'data' | 'log'
/** An extent as it is found at the end of a file. */
export interface StoredExtent {
  at: number
  bytes: Uint8Array
}

/** The changes that one commit makes to the extents of a file. */
export interface Plan {
  /** All extents from this place on are removed. */
  cutAt: number | undefined
  /** The extents that were merged: they begin at the first place, at the second, or between them. */
  merged: [number, number] | undefined
  puts: { at: number; bytes: Uint8Array }[]
  /** How many of the pieces in memory it writes. */
  taken: number
  /** The length of the file afterwards, in bytes. */
  length: number
  small: Small[]
}

/**
 * A file that is kept as immutable extents in a database. Bytes that were appended since the last commit stay in
 * memory. `plan` returns the changes of a commit. Call `done` once the database has them.
 */
export class Extents {
  readonly file: FileName
  readonly generation: number
  /** The bytes that the database has, without those that were truncated. */
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

  /** Takes over the small extents that were found at the end of the file, in order. */
  adopt(small: StoredExtent[]) {
    // Their ranks are not stored. A rank by size keeps them from being merged too often, or never.
    this.#small = small.map(({ at, bytes }) => ({ at, bytes, rank: bytes.length < SMALL / FAN ? 0 : 1 }))
  }

  /** Appends bytes. It keeps the array that it is given. */
  write(bytes: Uint8Array, { at }: { at: number }): number {
    this.#check()
    if (at !== this.#size)
      throw new Error(`a write at ${at}, but the file ends at ${this.#size}: it can only be appended to`)
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

  /** The number of bytes that were committed and not truncated since. */
  get committed(): number {
    return this.#base
  }
  /** The number of bytes that wait for a commit. */
  get pending(): number {
    return this.#size - this.#base
  }
  /** True if bytes were truncated that are still in the database. */
  get cut(): boolean {
    return this.#base < this.#stored
  }
  get dirty(): boolean {
    return this.cut || this.#pieces.length > 0
  }

  /** Returns the changes that a commit has to make now. Changes nothing itself. */
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
    // Only neighbours may be merged. The rest of an extent that was cut is not in the list.
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

  /** Merges `FAN` extents of a rank, or of lower ones, at the end into one of the next rank, as often as possible. */
  #merge(plan: Plan) {
    const { small } = plan
    for (let rank = 0; ; rank++) {
      let first = small.length
      while (first > 0 && small[first - 1].rank <= rank) first--
      const last = small.slice(first)
      if (last.length < FAN) return
      const bytes = concat(last.map(({ bytes }) => bytes))
      const { at } = last[0]
      small.splice(first, last.length, { at, bytes, rank: rank + 1 })
      plan.merged = [at, this.#base]
      plan.puts = [{ at, bytes }]
      if (bytes.length > SMALL) {
        small.length = 0
        return
      }
    }
  }

  /** Must be called once the transaction of the plan is complete. */
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

/** Returns the same bytes in pieces of `each` bytes. If one piece has all of them already, it is not copied. */
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
