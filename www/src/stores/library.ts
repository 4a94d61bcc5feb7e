import { Nidus, type Filter } from 'nidus-wasm'
import { DIMENSION } from '../embedder'
import type { Passage } from '../texts/passages'
import type { Source, Type } from '../texts/read'
import { Finder, worker, type FoundHit, type Question } from './finder'

const NAME = 'my-files'
const COLLECTION = 'passages'
/** Where words are found. A heading says more with one word than the text does. */
const TEXT = { headings: { weight: 2 }, text: {} }

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
export type PassageHit = FoundHit<PassageAttrs>

export interface Wanted {
  type?: Type | undefined
  folder?: string | undefined
  /** A part of the file's path. */
  path?: string | undefined
  since?: Date | undefined
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
export class Library extends Finder<PassageAttrs> {
  static async open() {
    return Library.#of(await Nidus.open<PassageAttrs>(NAME, { dimension: DIMENSION, worker }))
  }

  /** Replaces the store by an imported one, and opens it. The old one must be closed. */
  static async import(source: Blob, onProgress: (done: number, total: number | undefined) => void) {
    return Library.#of(
      await Nidus.import<PassageAttrs>(NAME, source, { replace: true, dimension: DIMENSION, worker, onProgress }),
    )
  }

  /** A store of an earlier version of the page gets its index of words now. */
  static async #of(db: Nidus<PassageAttrs>) {
    await db.createCollection(COLLECTION, { text: TEXT })
    return new Library(db, COLLECTION)
  }

  static destroy() {
    return Nidus.destroy(NAME, { worker })
  }

  /** Does the work while no other tab indexes. */
  static alone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return navigator.locks ? (navigator.locks.request('index', { signal }, work) as Promise<T>) : work()
  }

  compact() {
    return this.db.compact()
  }

  export() {
    return this.db.export()
  }

  /** Returns for each source whether its file is indexed with this hash. */
  async known(sources: { path: string; hash: string }[]): Promise<boolean[]> {
    const found = await this.db.get(
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
    await this.db.upsert(COLLECTION, { ids: all.map(({ id }) => id), vectors, attrs: all.map(({ attrs }) => attrs) })
    // Removes passages that the file no longer has.
    for (const { source, passages } of files)
      await this.db.deleteWhere(COLLECTION, { file: source.path, place: { $gte: passages.length } })
  }

  async removeFile(path: string) {
    await this.db.deleteWhere(COLLECTION, { file: path })
  }

  search(question: Question, wanted: Wanted) {
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
    return this.ask(question, narrowed ? filter : undefined)
  }

  /** Returns the passages of a file around one of them. */
  async around({ file, place, of }: PassageAttrs, reach: number) {
    const places = Array.from({ length: of }, (_, n) => n).filter((n) => Math.abs(n - place) <= reach)
    const found = await this.db.get(
      COLLECTION,
      places.map((n) => idOf(file, n)),
    )
    return found.flatMap((record) => (record ? [record.attrs] : []))
  }

  /** Returns the files: their paths and folders. */
  async files() {
    const first = await this.db.list(COLLECTION, { filter: { place: 0 }, attrs: ['file', 'folder'] })
    return first.map(({ attrs }) => ({ file: String(attrs.file), folder: String(attrs.folder) }))
  }
}

const escapeGlob = (text: string) => text.replace(/[*?[\]]/g, '[$&]')
