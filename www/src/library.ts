import { Nidus, NidusError, type CloseReason, type Hit, type Persistence } from 'nidus-wasm'
import { embeddedText, type Corpus, type Entry } from './corpus'
import { DIMENSION, type Embedded, type Embedder } from './embedder'

const NAME = 'npm-packages'
const COLLECTION = 'packages'
const BATCH = 32
const LOOKUP = 250

export type PackageAttrs = { text: string; downloads: number }
export type PackageHit = Hit<PackageAttrs>

export interface Progress {
  done: number
  total: number
  perSecond: number
  secondsLeft: number | undefined
}

export interface Facts {
  documents: number
  rows: number
  deadRows: number
  diskBytes: number
  storage: string
  kept: Persistence['state']
}

/** The index of the corpus: what is in the store, what is missing, and how to ask it. */
export class Library {
  readonly closed: Promise<CloseReason>
  #db: Nidus<PackageAttrs>
  #persistence = Nidus.persistence()

  private constructor(db: Nidus<PackageAttrs>) {
    this.#db = db
    this.closed = db.closed
  }

  static async open() {
    return new Library(await Nidus.open<PackageAttrs>(NAME, { dimension: DIMENSION }))
  }

  /** One tab embeds; the others wait, and find it done. */
  static alone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return navigator.locks ? navigator.locks.request('build the index', { signal }, work) as Promise<T> : work()
  }

  static destroy() {
    return Nidus.destroy(NAME)
  }

  close() {
    return this.#db.close()
  }

  async facts(): Promise<Facts> {
    const { docCount, rows, deadRows, diskBytes } = await this.#db.footprint()
    const { state } = await this.#persistence
    return { documents: docCount, rows, deadRows, diskBytes, storage: this.#db.storage, kept: state }
  }

  /** The entries that still need embedding: all at first, the rest after an interruption, none after that. */
  async missing({ version, entries }: Corpus): Promise<Entry[]> {
    const db = this.#db
    const count = await db.count(COLLECTION)
    if (count === 0) return entries
    const { corpus } = await db.getMeta(COLLECTION)
    if (corpus === version && count === entries.length) return []
    const missing: Entry[] = []
    const known = new Set<string>()
    for (let from = 0; from < entries.length; from += LOOKUP) {
      const asked = entries.slice(from, from + LOOKUP)
      const found = await db.get(
        COLLECTION,
        asked.map((entry) => entry.id),
      )
      asked.forEach((entry, i) => {
        const record = found[i]
        if (record) known.add(entry.id)
        if (record?.attrs.text !== entry.text || record.attrs.downloads !== entry.downloads) missing.push(entry)
      })
    }
    if (count > known.size) {
      const strangers: string[] = [] // left over from an older corpus
      for await (const record of db.records(COLLECTION)) if (!known.has(record.id)) strangers.push(record.id)
      await db.delete(COLLECTION, strangers)
    }
    return missing
  }

  /**
   * Embeds and stores what is missing. Each batch is durable once it is stored, so the page may be closed at any time.
   * The next ones are embedded while this one is written: they are different workers.
   */
  async index(corpus: Corpus, missing: Entry[], embedder: Embedder, onProgress: (progress: Progress) => void, signal: AbortSignal) {
    const total = corpus.entries.length
    let done = total - missing.length
    const recent: { at: number; done: number }[] = [{ at: performance.now(), done }]
    const batches = batchesOf(missing)
    const embedding: Promise<Embedded>[] = []
    await embedder.callHelpers()
    try {
      for (const [i, batch] of batches.entries()) {
        while (embedding.length < batches.length && embedding.length <= i + embedder.width) {
          const vectors = embedder.documents(batches[embedding.length]!.map(embeddedText))
          vectors.catch(() => {}) // looked at when its turn comes, which an abort may prevent
          embedding.push(vectors)
        }
        const { vectors } = await embedding[i]!
        signal.throwIfAborted()
        await this.#store(batch, vectors)
        signal.throwIfAborted()
        done += batch.length
        recent.push({ at: performance.now(), done })
        if (recent.length > 12) recent.shift()
        onProgress({ done, total, ...pace(recent, total) })
      }
    } finally {
      embedder.dismissHelpers()
    }
    await this.#db.setMeta(COLLECTION, { corpus: corpus.version, model: 'all-MiniLM-L6-v2, int8' })
  }

  async #store(batch: Entry[], vectors: Float32Array) {
    const records = { ids: batch.map((entry) => entry.id), vectors, attrs: batch.map(({ text, downloads }) => ({ text, downloads })) }
    for (;;) {
      try {
        return await this.#db.upsert(COLLECTION, records)
      } catch (error) {
        // The tab that had the store was closed half-way. Only one tab builds, so nothing newer can be overwritten.
        if (!(error instanceof NidusError && error.code === 'OUTCOME_UNKNOWN')) throw error
      }
    }
  }

  async search(vector: Float32Array, atLeast: number): Promise<{ hits: PackageHit[]; milliseconds: number }> {
    const began = performance.now()
    const hits = await this.#db.search(vector, {
      collections: COLLECTION,
      topK: 10,
      ...(atLeast > 0 && { filter: { downloads: { $gte: atLeast } } }),
    })
    return { hits, milliseconds: performance.now() - began }
  }
}

/**
 * The most used packages first, so that a half-built index already answers. Inside a window short texts go together:
 * every text of a batch is padded to its longest, and padding costs as much as words.
 */
function batchesOf(entries: Entry[]): Entry[][] {
  const batches: Entry[][] = []
  const window = BATCH * 10
  for (let from = 0; from < entries.length; from += window) {
    const sorted = entries.slice(from, from + window).sort((a, b) => a.text.length - b.text.length)
    for (let at = 0; at < sorted.length; at += BATCH) batches.push(sorted.slice(at, at + BATCH))
  }
  return batches
}

/** Over the last few batches only: the first ones are slow, and so is a tab in the background. */
function pace(recent: { at: number; done: number }[], total: number) {
  const [first, last] = [recent[0]!, recent.at(-1)!]
  const perSecond = (last.done - first.done) / Math.max((last.at - first.at) / 1000, 1e-3)
  return { perSecond, secondsLeft: recent.length < 4 ? undefined : (total - last.done) / Math.max(perSecond, 1e-3) }
}
