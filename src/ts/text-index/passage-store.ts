import { NidusError, invalid } from '../errors/errors.js'
import type { Nidus, OpenOptions, RecordInput } from '../types/index.js'
import type { Embedder } from '../types/text-index.js'
import { exclusive } from './exclusive.js'
import { COLLECTION, FIELDS, passageId, passageIds, type PassageAttrs } from './records.js'

/** The class of the entry that is in use: of pages, of Node, or of workerd. */
export type NidusClass = typeof Nidus

/** What the index remembers of how it was made. */
interface Remembered {
  /** The model of the vectors. Empty while the index has never had an embedder. */
  model: string
  chunker: string
  /** Set in a store in which new vectors are made: the name of the index whose place it takes. */
  nextOf?: string | undefined
}
const VERSION = '1'

/** A passage that is stored, with its vector. */
export interface Stored {
  id: string
  vector: Float32Array
  attrs: PassageAttrs
}

/** The passages of an index in a store. */
export class PassageStore {
  readonly db: Nidus
  readonly remembered: Remembered
  /** True if the number of passages without a vector may have changed. */
  #dirty = true
  /** The number of writes that the listener was told of. */
  #changes = 0
  #counts = { passages: 0, pending: 0 }

  private constructor(db: Nidus, remembered: Remembered) {
    this.db = db
    this.remembered = remembered
    db.on('change', () => this.#changed())
  }

  #changed() {
    this.#dirty = true
    this.#changes++
  }

  /**
   * Writes passages. What is counted afterwards has them in it: the listener may hear of the write only after its caller
   * has gone on.
   */
  async writing<T>(work: (db: Nidus) => Promise<T>): Promise<T> {
    try {
      return await work(this.db)
    } finally {
      this.#changed()
    }
  }

  /**
   * Opens the store of an index. Makes it if there is none, with `made`. A store that has passages of no index, or of a
   * later version, is refused.
   */
  static async open(
    Class: NidusClass,
    name: string,
    options: OpenOptions,
    made: { dimension: number } & Remembered,
  ): Promise<PassageStore> {
    const db = await openOrMake(Class, name, options, made.dimension)
    try {
      const meta = await db.getMeta(COLLECTION)
      if (made.nextOf !== undefined && meta['next-of'] !== made.nextOf && (await db.collections()).length > 0)
        throw new NidusError(
          'ALREADY_EXISTS',
          `the new vectors of the index "${made.nextOf}" need a store named "${name}", and there is another one of that ` +
            'name. Nothing was changed: move it away',
        )
      if (meta['text-index'] === undefined) {
        if (await db.hasCollection(COLLECTION))
          throw invalid(
            `the store "${name}" has a collection "${COLLECTION}" of its own: use another name for the index`,
          )
        await remember(db, made)
        await db.createCollection(COLLECTION, { text: FIELDS })
        return new PassageStore(db, { model: made.model, chunker: made.chunker, nextOf: made.nextOf })
      }
      if (meta['text-index'] !== VERSION)
        throw new NidusError('UNSUPPORTED_VERSION', `a newer version wrote the index "${name}". Use that version`)
      // The settings of words may not have been made yet, if the process ended in between.
      if (!(await db.getText(COLLECTION))) await db.createCollection(COLLECTION, { text: FIELDS })
      return new PassageStore(db, { model: meta.model ?? '', chunker: meta.chunker ?? '', nextOf: made.nextOf })
    } catch (error) {
      await db.close()
      throw error
    }
  }

  /** Runs `work` while nobody else changes documents. */
  exclusive<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return exclusive(this.db.name, work, signal)
  }

  async remember(next: Partial<Remembered>) {
    await remember(this.db, Object.assign(this.remembered, next))
  }

  /** Throws if the store has collections of the caller's. Another store is about to take its place. */
  async refuseOthers() {
    const others = (await this.db.collections()).filter((name) => name !== COLLECTION)
    if (others.length > 0)
      throw invalid(
        `the store of the index "${this.db.name}" also has the collection "${others[0]}", and a change of the model ` +
          'would lose it. Move it to a store of its own',
      )
  }

  /** Returns the first passages of documents, which say what the documents are. */
  async firsts(documents: string[]): Promise<(Stored | undefined)[]> {
    return (await this.db.get(
      COLLECTION,
      documents.map((id) => passageId(id, 0)),
    )) as (Stored | undefined)[]
  }

  async get(ids: string[]): Promise<(Stored | undefined)[]> {
    return (await this.db.get(COLLECTION, ids)) as (Stored | undefined)[]
  }

  /** Writes the passages of whole documents, and then removes those that the documents no longer have. */
  async write(records: RecordInput[], surplus: string[], firsts: string[]) {
    await this.writing(async (db) => {
      if (records.length > 0) await db.upsert(COLLECTION, records)
      if (surplus.length === 0) return
      await db.delete(COLLECTION, surplus)
      await db.update(
        COLLECTION,
        firsts.map((id) => ({ id, attrs: { _was: undefined } })),
      )
    })
  }

  /** Finishes documents that a process had begun to replace when it ended. */
  async repair() {
    await this.exclusive(async () => {
      for (const { id, attrs } of await this.db.list(COLLECTION, { filter: { _was: { $exists: true } } })) {
        const { _doc, _of = 1, _was = 0 } = attrs as PassageAttrs
        await this.write([], passageIds(_doc, _of, _was), [id])
      }
    })
  }

  /** Returns the number of passages, and of those without a vector. */
  async counts(): Promise<{ passages: number; pending: number }> {
    if (!this.#dirty) return this.#counts
    const changes = this.#changes
    const [passages, pending] = await Promise.all([
      this.db.count(COLLECTION),
      this.db.count(COLLECTION, { _pending: true }),
    ])
    if (changes === this.#changes) this.#dirty = false
    return (this.#counts = { passages, pending })
  }
}

const remember = (db: Nidus, { model, chunker, nextOf }: Remembered) =>
  db.setMeta(COLLECTION, {
    'text-index': VERSION,
    model,
    chunker,
    ...(nextOf !== undefined && { 'next-of': nextOf }),
  })

async function openOrMake(Class: NidusClass, name: string, options: OpenOptions, dimension: number): Promise<Nidus> {
  try {
    return await Class.open(name, { ...options, dimension })
  } catch (error) {
    // A store of another model opens as well. What it holds is judged afterwards.
    if (options.storage === 'memory' || (error as NidusError).code !== 'DIMENSION_MISMATCH') throw error
    return Class.open(name, options)
  }
}

export const mismatch = (name: string, { model }: Remembered, dimension: number, given: Embedder) =>
  new NidusError(
    'EMBEDDER_MISMATCH',
    `the index "${name}" has vectors of "${model}" (dimension ${dimension}), and the embedder is "${given.model}" ` +
      `(dimension ${given.dimension}). Open it with the old embedder and call \`reembed\` with the new one, or use ` +
      'another name',
  )
