import { Nidus } from 'nidus-wasm'
import { DIMENSION } from '../embedder'
import { Finder, worker } from './finder'

export type ShippedName = 'dictionary' | 'emoji'

/** A sense of the dictionary or an emoji. `title` is the words or the sign, `about` says what it means. */
export type EntryAttrs = { title: string; about: string; kind: string; keywords: string }

const COLLECTION = 'entries'
const TEXT = { title: { weight: 2 }, about: {}, keywords: {} }
/** The number of rows of one write. It is small, so that there is an answer soon and the page never hangs. */
const BATCH = 250
/** How long to wait for the network to send anything, in milliseconds. */
const SILENCE = 30_000

/** The texts or the vectors of a set could not be loaded. */
export class SetError extends Error {
  override name = 'SetError'
}

interface Texts {
  digest: string
  examples: string[]
  rows: [id: string, title: string, kind: string, about: string][]
}

export interface Filling {
  done: number
  total: number
}

/** A set whose texts and vectors come with the page. At the first visit they are written into a store. */
export class Shipped extends Finder<EntryAttrs> {
  /** Settles when the set is complete. */
  complete: Promise<void> = Promise.resolve()
  /** The vectors of the example questions, which need no model. */
  readonly known = new Map<string, Float32Array>()
  /** Whether the browser gives the page no storage, so that the set is in memory only. */
  passing = false

  /**
   * Opens the set, and begins to fill it if it is not complete. `onProgress` is called after each write. With `passing`
   * the set is in memory only.
   */
  static async open(name: ShippedName, onProgress: (filling: Filling) => void, passing = false) {
    const options = { dimension: DIMENSION, worker }
    const db = await Nidus.open<EntryAttrs>(`demo-${name}`, passing ? { ...options, storage: 'memory' } : options)
    const shipped = new Shipped(db, COLLECTION)
    shipped.passing = passing
    const { rows, vectors } = await shipped.db.getMeta(COLLECTION)
    if (rows && Number(rows) === (await db.count(COLLECTION))) {
      for (const [question, numbers] of Object.entries(JSON.parse(vectors ?? '{}') as Record<string, number[]>))
        shipped.known.set(question, Float32Array.from(numbers))
      return shipped
    }
    shipped.complete = alone(passing ? undefined : `fill ${name}`, () => shipped.#fill(name, onProgress))
    shipped.complete.catch(() => {}) // whoever shows the set looks at it
    return shipped
  }

  /** Waits until the engine has made its short forms of all rows, but not for long. */
  async settled() {
    for (let n = 0; n < 20; n++) {
      const { rows, codedRows, text } = await this.db.footprint()
      if (codedRows >= rows && !text?.behind) return
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
  }

  async #fill(name: ShippedName, onProgress: (filling: Filling) => void) {
    const [texts, stream] = await Promise.all([fetchTexts(name), get(`sets/${name}.i8`)])
    const { rows, examples, digest } = texts
    const before = await this.db.getMeta(COLLECTION)
    if (before.digest !== digest) await this.db.dropCollection(COLLECTION) // texts of another version of the page
    await this.db.createCollection(COLLECTION, { text: TEXT })
    await this.db.setMeta(COLLECTION, { digest })
    // Writes are in the order of the rows. So what an interrupted visit wrote is the beginning.
    let at = await this.db.count(COLLECTION)
    const read = numbers(stream)
    const own = expanded(await read(examples.length * DIMENSION))
    examples.forEach((question, n) => this.known.set(question, own.slice(n * DIMENSION, (n + 1) * DIMENSION)))
    await read(at * DIMENSION)
    onProgress({ done: at, total: rows.length })
    while (at < rows.length) {
      const some = rows.slice(at, at + BATCH)
      const vectors = expanded(await read(some.length * DIMENSION))
      await this.db.upsert(COLLECTION, { ids: some.map(([id]) => id), vectors, attrs: some.map(attrsOf(name)) })
      at += some.length
      onProgress({ done: at, total: rows.length })
    }
    const vectors = Object.fromEntries([...this.known].map(([question, vector]) => [question, Array.from(vector)]))
    await this.db.setMeta(COLLECTION, { digest, rows: String(rows.length), vectors: JSON.stringify(vectors) })
  }
}

const attrsOf =
  (name: ShippedName) =>
  ([id, title, kind, about]: Texts['rows'][number]): EntryAttrs =>
    name === 'dictionary'
      ? { title, about, kind, keywords: '' }
      : // An emoji's row has its sign, its name, its group and its keywords.
        { title: id, about: title, kind, keywords: about }

/** Does the work while no other tab does. The other one then finds it done. */
function alone(name: string | undefined, work: () => Promise<void>): Promise<void> {
  return name && navigator.locks ? (navigator.locks.request(name, work) as Promise<void>) : work()
}

/** Fetches a file of the page. Ends if the server does not answer. */
async function get(path: string): Promise<Response> {
  // Only the beginning of the answer has this limit. A slow network may take its time for the rest.
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(new Error('the server does not answer')), SILENCE)
  const asked = fetch(new URL(path, document.baseURI), { signal: stop.signal }).finally(() => clearTimeout(timer))
  const response = await asked.catch((cause: Error) => {
    throw new SetError(`${path} could not be loaded (${cause.message})`, { cause })
  })
  if (!response.ok) throw new SetError(`${path} could not be loaded (HTTP ${response.status})`)
  return response
}

export async function fetchTexts(name: ShippedName): Promise<Texts> {
  const found = (await (await get(`sets/${name}.json`)).json()) as Partial<Texts>
  if (!Array.isArray(found.rows) || !Array.isArray(found.examples) || typeof found.digest !== 'string')
    throw new SetError(`sets/${name}.json is not a set: reload the page`)
  return found as Texts
}

/** Returns a function that reads that many bytes of a response, as signed numbers. */
function numbers(response: Response) {
  const reader = response.body!.getReader()
  let left = new Uint8Array()
  return async (count: number): Promise<Int8Array> => {
    const whole = new Uint8Array(count)
    let at = 0
    while (at < count) {
      if (left.length === 0) {
        const { done, value } = await soon(reader.read())
        if (done) throw new SetError('the vectors of the set end too early: reload the page')
        left = value as Uint8Array<ArrayBuffer>
      }
      const part = left.subarray(0, count - at)
      whole.set(part, at)
      at += part.length
      left = left.subarray(part.length)
    }
    return new Int8Array(whole.buffer)
  }
}

/** Rejects if nothing happens for a while. */
function soon<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SetError('the server sends nothing more: reload the page')), SILENCE)
  })
  return Promise.race([promise, end]).finally(() => clearTimeout(timer))
}

/** Returns 8-bit numbers as floats. The engine compares directions, so their scale does not matter. */
const expanded = (bytes: Int8Array) => Float32Array.from(bytes)
