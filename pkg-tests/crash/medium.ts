import { createHash } from 'node:crypto'
import { random } from '../common/model'

/**
 * One call of a host, or a mark that says which states a crash may leave (`allow`). Files have numbers, because their
 * names change.
 */
export type Event =
  | { kind: 'write'; file: number; at: number; bytes: Uint8Array }
  | { kind: 'truncate'; file: number; size: number }
  | { kind: 'flush'; file: number }
  | { kind: 'link'; name: string; file: number }
  | { kind: 'unlink'; name: string }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'syncNames' }
  /** From here on a crash may leave the states `from` to `to`. */
  | { kind: 'allow'; from: number; to: number }

/** The files of a directory after a crash, by name. */
export type Image = Map<string, Uint8Array>

const SECTOR = 512
const EMPTY = new Uint8Array(0)
const hashOf = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('base64')
const sectorOf = (bytes: Uint8Array, sector: number) => {
  const whole = new Uint8Array(SECTOR)
  whole.set(bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR))
  return whole
}
const resized = (bytes: Uint8Array, size: number) => {
  const other = new Uint8Array(size)
  other.set(bytes.subarray(0, size))
  return other
}

/**
 * A file that can lose what was not flushed. After a crash, each sector has its flushed bytes, or those after any write
 * since. The length is the flushed one, or any since; if the file grew, also one in between.
 */
class CrashFile {
  durable: Uint8Array = EMPTY
  now: Uint8Array = EMPTY
  versions = new Map<number, Uint8Array[]>()
  lengths = new Set<number>()

  clone() {
    const other = new CrashFile()
    other.durable = this.durable
    other.now = this.now
    other.versions = new Map([...this.versions].map(([sector, all]) => [sector, [...all]]))
    other.lengths = new Set(this.lengths)
    return other
  }

  write(at: number, bytes: Uint8Array) {
    if (bytes.length === 0) return
    const before = this.now.length
    const end = at + bytes.length
    this.now = resized(this.now, Math.max(before, end))
    this.now.set(bytes, at)
    this.#remember(Math.min(at, before), end)
    if (end <= before) return
    for (const length of [before, before + 1, before + 3, end - 1, end]) if (length <= end) this.lengths.add(length)
    for (let sector = Math.floor(before / SECTOR) + 1; sector * SECTOR < end; sector++)
      this.lengths.add(sector * SECTOR)
  }

  truncate(size: number) {
    if (size === this.now.length) return
    const before = this.now.length
    this.now = resized(this.now, size)
    this.lengths.add(size)
    if (size < before && size % SECTOR > 0) this.#remember(size, size + 1)
  }

  flush() {
    this.durable = this.now
    this.versions.clear()
    this.lengths.clear()
  }

  #remember(from: number, to: number) {
    for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) {
      const all = this.versions.get(sector) ?? []
      all.push(sectorOf(this.now, sector))
      this.versions.set(sector, all)
    }
  }

  /**
   * Returns the images of the file, each once. If there are more than `most`, it returns those in which all sectors
   * before or after one place are new, and a random sample of the others.
   */
  images(most: number, int: (below: number) => number): { bytes: Uint8Array; hash: string }[] {
    const found = new Map<string, Uint8Array>()
    const add = (bytes: Uint8Array) => found.set(hashOf(bytes), bytes)
    const sectors = [...this.versions].map(([sector, versions]) => ({ sector, versions }))
    const lengths = [...new Set([this.durable.length, ...this.lengths, this.now.length])]
    const build = (length: number, pick: (n: number, of: number) => number) => {
      const image = resized(this.durable, length)
      for (const [n, { sector, versions }] of sectors.entries()) {
        const picked = pick(n, versions.length + 1)
        if (picked > 0 && sector * SECTOR < length)
          image.set(versions[picked - 1]!.subarray(0, length - sector * SECTOR), sector * SECTOR)
      }
      add(image)
    }
    const combinations = sectors.reduce((all, { versions }) => all * (versions.length + 1), lengths.length)
    if (combinations <= most) {
      for (let number = 0; number < combinations; number++) {
        let rest = Math.floor(number / lengths.length)
        build(lengths[number % lengths.length]!, (_, of) => {
          const digit = rest % of
          rest = Math.floor(rest / of)
          return digit
        })
      }
    } else {
      for (const length of lengths) {
        for (let cut = 0; cut <= sectors.length; cut++) {
          build(length, (n, of) => (n < cut ? of - 1 : 0))
          build(length, (n, of) => (n >= cut ? of - 1 : 0))
        }
      }
      for (let tries = 0; found.size < most && tries < 4 * most; tries++)
        build(lengths[int(lengths.length)]!, (_, of) => int(of))
    }
    return [...found].map(([hash, bytes]) => ({ bytes, hash }))
  }
}

type Names = Map<string, number>
type NameEvent = Extract<Event, { kind: 'link' | 'unlink' | 'rename' }>

function applyName(names: Names, event: NameEvent) {
  if (event.kind === 'link') names.set(event.name, event.file)
  if (event.kind === 'unlink') names.delete(event.name)
  if (event.kind !== 'rename') return
  const file = names.get(event.from)
  // The rename is kept, but the creation of the file is lost. Then there is no file.
  if (file === undefined) return
  names.delete(event.from)
  names.set(event.to, file)
}

/**
 * A directory of such files. After a crash, each change of a name since the last sync of names is kept or lost,
 * whatever happens to the others.
 */
export class Medium {
  #files = new Map<number, CrashFile>()
  #names: Names = new Map()
  #pending: NameEvent[] = []
  readonly #flushMakesName: boolean
  readonly #random: ReturnType<typeof random>

  /** With `flushMakesName`, the first flush of a file makes its name durable, as in OPFS. There is no sync of names. */
  constructor(options: { flushMakesName: boolean; seed?: number }, image: Image = new Map()) {
    this.#flushMakesName = options.flushMakesName
    this.#random = random(options.seed ?? 1)
    for (const [name, bytes] of image) {
      const file = new CrashFile()
      file.durable = file.now = bytes
      this.#files.set(this.#files.size, file)
      this.#names.set(name, this.#files.size - 1)
    }
  }

  clone() {
    const other = new Medium({ flushMakesName: this.#flushMakesName, seed: this.#random.int(1e9) })
    other.#files = new Map([...this.#files].map(([number, file]) => [number, file.clone()]))
    other.#names = new Map(this.#names)
    other.#pending = [...this.#pending]
    return other
  }

  /** Returns what a process sees: all changes, flushed or not. */
  now(): { names: Names; image: Image; files: number } {
    const names = this.#currentNames()
    const image: Image = new Map([...names].map(([name, file]) => [name, this.#files.get(file)!.now]))
    return { names, image, files: Math.max(-1, ...this.#files.keys()) + 1 }
  }

  /** Whether a change of a name is not synced. */
  get namesPending() {
    return !this.#flushMakesName && this.#pending.length > 0
  }

  #currentNames() {
    const names = new Map(this.#names)
    for (const event of this.#pending) applyName(names, event)
    return names
  }

  apply(event: Event) {
    if (event.kind === 'allow') return
    if (event.kind === 'syncNames') {
      this.#names = this.#currentNames()
      this.#pending = []
      return
    }
    if (event.kind === 'link' || event.kind === 'unlink' || event.kind === 'rename') {
      if (event.kind === 'link' && !this.#files.has(event.file)) this.#files.set(event.file, new CrashFile())
      this.#pending.push(event)
      return
    }
    const file = this.#files.get(event.file)!
    if (event.kind === 'write') file.write(event.at, event.bytes)
    if (event.kind === 'truncate') file.truncate(event.size)
    if (event.kind !== 'flush') return
    file.flush()
    if (!this.#flushMakesName) return
    this.#pending = this.#pending.filter((pending) => {
      const own = pending.kind === 'link' && pending.file === event.file
      if (own) applyName(this.#names, pending)
      return !own
    })
  }

  /**
   * Returns the names that a crash may leave: those after each subset of the changes that were not synced. If there are
   * more than five changes, it takes only the first n of them, and all but one.
   */
  #namesLeft(): Names[] {
    const n = this.#pending.length
    const kept =
      n <= 5
        ? Array.from({ length: 2 ** n }, (_, mask) => this.#pending.filter((_, i) => mask & (1 << i)))
        : [
            ...Array.from({ length: n + 1 }, (_, cut) => this.#pending.slice(0, cut)),
            ...this.#pending.map((_, left) => this.#pending.filter((_, i) => i !== left)),
          ]
    const found = new Map<string, Names>()
    for (const events of kept) {
      const names = new Map(this.#names)
      for (const event of events) applyName(names, event)
      found.set(JSON.stringify([...names].sort()), names)
    }
    return [...found.values()]
  }

  /**
   * Returns the images of the whole directory, each with its hash. If the names have more than `most` images, it
   * returns a sample of them.
   */
  *images(most: number): Generator<{ hash: string; image: Image }> {
    const { int } = this.#random
    const cache = new Map<number, { bytes: Uint8Array; hash: string }[]>()
    const of = (file: number) => {
      if (!cache.has(file)) cache.set(file, this.#files.get(file)!.images(most, int))
      return cache.get(file)!
    }
    for (const names of this.#namesLeft()) {
      const entries = [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, file]) => ({ name, all: of(file) }))
      const made = (pick: (of: number, n: number) => number) => {
        const picked = entries.map(({ name, all }, n) => ({ name, ...all[pick(all.length, n)]! }))
        return {
          hash: picked.map(({ name, hash }) => `${name} ${hash}`).join('\n'),
          image: new Map(picked.map(({ name, bytes }) => [name, bytes])),
        }
      }
      const combinations = entries.reduce((all, { all: { length } }) => all * length, 1)
      if (combinations <= most) {
        for (let number = 0; number < combinations; number++) {
          let rest = number
          yield made((of) => {
            const digit = rest % of
            rest = Math.floor(rest / of)
            return digit
          })
        }
        continue
      }
      // Each image of each file is taken at least once, with random images of the other files.
      for (const [n, { all }] of entries.entries()) {
        for (let i = 0; i < all.length; i++) yield made((of, m) => (m === n ? i : int(of)))
      }
      for (let i = 0; i < most / 2; i++) yield made(int)
    }
  }
}
