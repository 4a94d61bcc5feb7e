import { Nidus, type CloseReason, type Filter, type Footprint, type Hit, type Persistence } from 'nidus-wasm'
import file from 'nidus-wasm/worker?worker&url'
import { confined } from './confined'
import { DIMENSION } from './embedder'
import type { Passage } from './texts/passages'
import type { Source, Type } from './texts/read'

const NAME = 'my-files'
const COLLECTION = 'passages'
const worker = () => confined(file, 'store')

export type PassageAttrs = {
  /** The path of the passage's file. `folder` is that of the file's folder ('' at the top). */
  file: string
  folder: string
  type: Type
  modified: Date
  /** The number of the passage in its file, from 0. `of` is the number of all passages of the file. */
  place: number
  of: number
  headings: string[]
  text: string
  /** The hash of the file's bytes. A file whose hash is known need not be read again. */
  hash: string
}
export type PassageHit = Hit<PassageAttrs>

export interface Wanted {
  type?: Type | undefined
  folder?: string | undefined
  /** A part of the file's path. */
  path?: string | undefined
  since?: Date | undefined
}

export interface Facts extends Footprint {
  storage: string
  persistence: Persistence
}

export interface Indexed {
  source: Source
  hash: string
  passages: Passage[]
  vectors: Float32Array
}

const idOf = (path: string, place: number) => `${path}#${String(place).padStart(6, '0')}`
const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** The store of the passages of the user's files. */
export class Library {
  readonly closed: Promise<CloseReason>
  #db: Nidus<PassageAttrs>
  #persistence = Nidus.persistence()

  private constructor(db: Nidus<PassageAttrs>) {
    this.#db = db
    this.closed = db.closed
  }

  static async open() {
    return new Library(await Nidus.open<PassageAttrs>(NAME, { dimension: DIMENSION, worker }))
  }

  /** Replaces the store by an imported one, and opens it. The old one must be closed. */
  static async import(source: Blob, onProgress: (done: number, total: number | undefined) => void) {
    return new Library(
      await Nidus.import<PassageAttrs>(NAME, source, { replace: true, dimension: DIMENSION, worker, onProgress }),
    )
  }

  static destroy() {
    return Nidus.destroy(NAME, { worker })
  }

  /** Does the work while no other tab indexes. */
  static alone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return navigator.locks ? (navigator.locks.request('index', { signal }, work) as Promise<T>) : work()
  }

  close() {
    return this.#db.close()
  }

  compact() {
    return this.#db.compact()
  }

  export() {
    return this.#db.export()
  }

  /** Asks the browser to keep the data. */
  askToKeep() {
    this.#persistence = Nidus.persistence({ request: true })
  }

  async facts(): Promise<Facts> {
    const [footprint, persistence] = await Promise.all([this.#db.footprint(), this.#persistence])
    return { ...footprint, storage: this.#db.storage, persistence }
  }

  /** Returns for each source whether its file is indexed with this hash. */
  async known(sources: { path: string; hash: string }[]): Promise<boolean[]> {
    const found = await this.#db.get(
      COLLECTION,
      sources.map(({ path }) => idOf(path, 0)),
    )
    return found.map((record, i) => record?.attrs.hash === sources[i]!.hash)
  }

  /** Stores all of the files or, if it fails, none of them. */
  async store(files: Indexed[]) {
    const all = files.flatMap(({ source, hash, passages }) =>
      passages.map((passage, place) => ({
        id: idOf(source.path, place),
        attrs: {
          file: source.path,
          folder: folderOf(source.path),
          type: source.type,
          modified: source.modified,
          place,
          of: passages.length,
          headings: passage.headings,
          text: passage.text,
          hash,
        },
      })),
    )
    const vectors = new Float32Array(all.length * DIMENSION)
    let at = 0
    for (const file of files) {
      vectors.set(file.vectors, at)
      at += file.vectors.length
    }
    await this.#db.upsert(COLLECTION, { ids: all.map(({ id }) => id), vectors, attrs: all.map(({ attrs }) => attrs) })
    // Removes passages that the file no longer has.
    for (const { source, passages } of files)
      await this.#db.deleteWhere(COLLECTION, { file: source.path, place: { $gte: passages.length } })
  }

  async removeFile(path: string) {
    await this.#db.deleteWhere(COLLECTION, { file: path })
  }

  async search(vector: Float32Array, wanted: Wanted, topK = 20): Promise<{ hits: PassageHit[]; milliseconds: number }> {
    const filter: Filter<PassageAttrs> = {
      ...(wanted.type && { type: wanted.type }),
      ...(wanted.since && { modified: { $gte: wanted.since } }),
      $and: [
        ...(wanted.folder
          ? [{ $or: [{ folder: wanted.folder }, { folder: { $glob: `${escapeGlob(wanted.folder)}/*` } }] }]
          : []),
        ...(wanted.path ? [{ file: { $glob: `*${escapeGlob(wanted.path)}*` } }] : []),
      ],
    }
    const narrowed = Object.keys(filter).length > 1 || filter.$and!.length > 0
    const began = performance.now()
    const hits = await this.#db.search(vector, { collections: COLLECTION, topK, ...(narrowed && { filter }) })
    return { hits, milliseconds: performance.now() - began }
  }

  /** Returns the passages of a file around one of them. */
  async around({ file, place, of }: PassageAttrs, reach: number) {
    const places = Array.from({ length: of }, (_, n) => n).filter((n) => Math.abs(n - place) <= reach)
    const found = await this.#db.get(
      COLLECTION,
      places.map((n) => idOf(file, n)),
    )
    return found.flatMap((record) => (record ? [record.attrs] : []))
  }

  async vector(id: string): Promise<Float32Array | undefined> {
    return (await this.#db.get(COLLECTION, [id]))[0]?.vector
  }

  /** Returns the files with their numbers of passages, and the ids and vectors of up to `most` passages. */
  async survey(most: number) {
    const { docCount } = await this.#db.footprint()
    const every = Math.max(1, Math.ceil(docCount / most))
    const files = new Map<string, PassageAttrs>()
    const [ids, groups]: [string[], string[]] = [[], []]
    const vectors = new Float32Array(Math.ceil(docCount / every) * DIMENSION)
    let n = 0
    for await (const { id, vector, attrs } of this.#db.records(COLLECTION)) {
      if (attrs.place === 0) files.set(attrs.file, attrs)
      if (n++ % every === 0 && (ids.length + 1) * DIMENSION <= vectors.length) {
        vectors.set(vector, ids.length * DIMENSION)
        ids.push(id)
        groups.push(attrs.folder)
      }
    }
    return { files, ids, groups, vectors: vectors.subarray(0, ids.length * DIMENSION) }
  }
}

const escapeGlob = (text: string) => text.replace(/[*?[\]]/g, '[$&]')
