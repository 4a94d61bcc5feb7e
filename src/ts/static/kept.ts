import { Answer, changed, type HttpOptions } from './answer.js'
import type { Validators } from './file.js'
import { none, sameHead, unlike } from './http.js'
import type { Place } from './keep.js'

/** One kept file: its name and its validators. */
export interface Part extends Validators {
  name: string
  size: number
}
/** The entry that says which files are current. It is written in one step. */
interface Entry {
  format: 2
  data: Part
  log: Part
  /** A version that the server had only in part: one of its files. `since` is the time at which it was first seen. */
  half?: { which: string; since: number }
}
export type FileName = 'data' | 'log'
const BOTH = ['data', 'log'] as const

/** Both files of one version. Nobody removes them before `release`. */
export interface Version {
  entry: Entry
  data: Blob
  log: Blob
  release(): void
}
export interface Taken {
  part: Part
  blob: Blob
  release(): void
}

const TRIES = 3

/** The place could not keep the files. The server is not to blame. */
export class NotKept extends Error {}

/** A tab that removes a file locks it only for a moment, unless the tab is stopped just then. */
const HOLD_MS = 2000

/** Locks files that are in use, so that no other tab removes them. */
async function hold(names: string[]): Promise<() => void> {
  const { locks } = navigator
  let release!: () => void
  const over = new Promise<void>((resolve) => (release = resolve))
  const held = names.map(
    (name) =>
      new Promise<void>((resolve) => {
        const lock = locks?.request(
          `nidus-static:${name}`,
          { mode: 'shared', signal: AbortSignal.timeout(HOLD_MS) },
          () => (resolve(), over),
        )
        // Without the lock the file is read nevertheless.
        if (lock !== undefined) lock.catch(() => resolve())
        else resolve()
      }),
  )
  await Promise.all(held)
  return release
}

const streamOf = (bytes: AsyncGenerator<Uint8Array>) =>
  new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await bytes.next()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          controller.error(error)
        }
      },
      cancel: async () => void (await bytes.return(undefined)),
    },
    { highWaterMark: 0 },
  )

const PIECE = 1 << 20

/** Compares two blobs byte by byte. */
export async function equal(one: Blob, other: Blob): Promise<boolean> {
  if (one.size !== other.size) return false
  for (let at = 0; at < one.size; at += PIECE) {
    const [a, b] = await Promise.all(
      [one, other].map(async (blob) => new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer())),
    )
    if (!a.every((byte, i) => byte === b[i])) return false
  }
  return true
}

/** The version of an index that is kept here, and the steps by which a newer one replaces it. */
export class Kept {
  readonly #place: Place
  readonly #key: string
  readonly #urls: Record<FileName, string>
  readonly #options: HttpOptions

  constructor(place: Place, key: string, urls: Record<FileName, string>, options: HttpOptions) {
    this.#place = place
    this.#key = key
    this.#urls = urls
    this.#options = options
  }

  /**
   * Returns both files, locked until `release`. A version that is incomplete or of another format counts as missing.
   */
  async find(): Promise<Version | undefined> {
    for (let tried = 0; tried < TRIES; tried++) {
      const entry = await this.#entry()
      if (!entry) return undefined
      const release = await hold(BOTH.map((file) => entry[file].name))
      const [data, log] = await Promise.all(BOTH.map((file) => this.#place.find(entry[file].name)))
      if (data?.size === entry.data.size && log?.size === entry.log.size) return { entry, data, log, release }
      // Another tab may just have replaced it by a newer version.
      release()
    }
    return undefined
  }

  async #entry(): Promise<Entry | undefined> {
    try {
      const entry = JSON.parse((await (await this.#place.find(this.#key))?.text()) ?? 'null') as Entry | null
      return entry?.format === 2 && BOTH.every((file) => typeof entry[file]?.name === 'string') ? entry : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /** Asks the server for a file. Returns `undefined` if it has not changed. The body is not read yet. */
  async ask(file: FileName, kept: Part | undefined): Promise<Answer | undefined> {
    const conditions: Record<string, string> = kept?.etag
      ? { 'if-none-match': kept.etag }
      : kept?.modified
        ? { 'if-modified-since': kept.modified }
        : {}
    const answer = await Answer.to(this.#options, this.#urls[file], conditions)
    if (kept && answer.status === 304) return (answer.drop(), undefined)
    return answer.check()
  }

  /** Stores a complete body under a new name, and locks it. */
  async take(file: FileName, answer: Answer): Promise<Taken> {
    const name = `${this.#key}.${crypto.randomUUID()}.${file}`
    const release = await hold([name])
    const { onSize, onBytes } = this.#options
    let failure: unknown
    let size = 0
    const { length } = answer
    if (length !== undefined) onSize(length)
    const counted = async function* () {
      try {
        for await (const piece of answer.pieces()) {
          size += piece.length
          onBytes(piece.length)
          yield piece
        }
      } catch (error) {
        throw (failure = error)
      }
    }
    try {
      await this.#place.write(name, streamOf(counted()))
      const blob = await this.#place.find(name)
      if (failure === undefined && blob?.size === size) {
        if (length === undefined) onSize(size)
        return { part: { name, size, ...answer.validators }, blob, release }
      }
    } catch (error) {
      failure ??= new NotKept('not kept', { cause: error })
    }
    answer.drop()
    release()
    await this.drop(name)
    throw failure ?? new NotKept('what was kept cannot be read')
  }

  /** Returns whether the server still has this file. If it has, both files were there at the same moment. */
  async still(file: FileName, { part, blob }: Taken) {
    const url = this.#urls[file]
    const same = await sameHead(url, { size: part.size, first: part, ranged: false }, this.#options)
    if (same === false) throw changed(url)
    const answer = same ? undefined : await this.ask(file, part)
    if (!answer) return
    if (!none(part)) {
      answer.drop()
      if (unlike(answer.validators, part)) throw changed(url)
      return
    }
    let at = 0
    for await (const piece of answer.pieces()) {
      if (!(await equal(new Blob([piece as BlobPart]), blob.slice(at, at + piece.length)))) throw changed(url)
      at += piece.length
    }
    if (at !== part.size) throw changed(url)
  }

  async drop(name: string) {
    await this.#place.remove(name).catch(() => {})
  }

  /** Removes the entry, because the kept files cannot be used. */
  async clear() {
    await this.drop(this.#key)
  }

  /** Makes a version the current one, in one step. */
  async commit(entry: Entry) {
    const text = new TextEncoder().encode(JSON.stringify(entry))
    await this.#place.write(this.#key, new Blob([text]).stream())
  }

  /** Removes files that nobody uses any more: those that were replaced, and those of a tab that went away. */
  async sweep() {
    const { locks } = navigator
    const entry = await this.#entry()
    if (!locks || !entry) return
    await this.#place.forget(Object.values(this.#urls))
    for (const name of await this.#place.names()) {
      if (!name.startsWith(`${this.#key}.`) || BOTH.some((file) => entry[file].name === name)) continue
      await locks.request(`nidus-static:${name}`, { mode: 'exclusive', ifAvailable: true }, async (lock) => {
        // The entry is read again under the lock, because the file may have become current.
        const now = await this.#entry()
        if (lock && now && BOTH.every((file) => now[file].name !== name)) await this.#place.remove(name)
      })
    }
  }
}
