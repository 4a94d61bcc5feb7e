/// <reference lib="esnext.disposable" />
import type { Attrs, AttrsOf, Filter } from './attrs.js'
import type { ImportOptions, ImportSource, OpenOptions, Persistence, PersistenceOptions, RecoveryReport, SalvageOptions, StoreInfo, StoreOptions } from './options.js'
import type { NidusError } from './segment.js'
import type { StaticOptions, StaticSource } from './static.js'

export type { Attrs, AttrsOf, AttrValue, Condition, Filter, Operand, Operators } from './attrs.js'
export type { StorageHost, StoreFiles } from './host.js'
export type { StaticBucket, StaticOptions, StaticSource } from './static.js'
export type { ImportBytes, ImportOptions, ImportSource, OpenOptions, Persistence, PersistenceOptions, RecoveryReport, Salvaged, SalvageOptions, StorageKind, StoreInfo, StoreOptions } from './options.js'

export { NidusError } from './segment.js'
export type { NidusErrorCode, SyncAccessHandle, WasmSource } from './segment.js'

/**
 * A record on its way in. (A hit is none: of one, give `{ id, vector, attrs }`, with a search that was asked for `withVectors`.) The vector need not be normalized; it is captured when the call is made. One shorter than 1e-12 is stored as it is, as native does: its scores are nearly 0, and those of a
 * vector of zeros are 0. A query of that kind scores every record so. An embedding of zeros is mostly a fault of the model's: check for it where vectors are made.
 */
export interface RecordInput<A extends AttrsOf<A> = Attrs> {
  id: string
  vector: Float32Array | number[]
  attrs?: A
}

/** Many records on their way in, the quick form. */
export interface ColumnarBatch<A extends AttrsOf<A> = Attrs> {
  ids: string[]
  /** `ids.length * dimension` numbers, row by row. */
  vectors: Float32Array
  /** One per id, if given. */
  attrs?: A[]
}

export interface VectorRecord<A extends AttrsOf<A> = Attrs> {
  id: string
  /** As stored: normalized. */
  vector: Float32Array
  attrs: A
}

export interface Hit<A extends AttrsOf<A> = Attrs> {
  collection: string
  id: string
  /** Cosine similarity. */
  score: number
  attrs: A
  /** Only with `withVectors`. */
  vector?: Float32Array
}

/** A key that is not among these is `INVALID_ARGUMENT`, here and in every other object of options, in records and in batches. One whose value is undefined counts as absent. */
export interface SearchOptions<A extends AttrsOf<A> = Attrs> {
  /** Default: all. Named twice counts once. One that does not exist holds nothing and is no error, since a collection begins with its first record: for a misspelt name ask `hasCollection`. */
  collections?: string | string[]
  /** Default 10. 0 gives []. */
  topK?: number
  /** Only hits whose score is at least this. */
  minScore?: number
  filter?: Filter<A>
  withVectors?: boolean
  signal?: AbortSignal
}

export interface SignalOption {
  /** Ends the call with `ABORTED`: also while a filter is worked off that takes long, and of a deletion only until it is published (nothing is deleted then; after that the true outcome is told). */
  signal?: AbortSignal
}

export interface UpsertOptions {
  /** Aborts until the batch is published (`ABORTED`, nothing written); after that the true outcome is told. */
  signal?: AbortSignal
  /** Rows taken up so far, of all; equal only when the batch is acknowledged. */
  onProgress?: (done: number, total: number) => void
  /** Columnar input: gives the array away instead of copying it. Do not use it afterwards, not even if the call fails. A part of a larger buffer, and shared memory, are copied as ever; all of a wasm module's memory cannot be sent to a worker (`INVALID_ARGUMENT`). */
  transfer?: boolean
}

export type CloseReason = { reason: 'closed' } | { reason: 'failed'; error: NidusError }

export interface Footprint {
  /** Rows in the data file, dead ones too. */
  rows: number
  /** Rows that no record refers to: what `compact` frees. */
  deadRows: number
  /** Rows that a search need not read whole. Codes are made in the background after opening and writing; searches are exact with and without. */
  codedRows: number
  dimension: number
  /** Bytes of all rows: what `maxVectorBytes` limits. */
  vectorBytes: number
  docCount: number
  /** The whole wasm memory, in bytes. */
  memoryBytes: number
  /** Lengths of data and log. */
  diskBytes: number
  /** The oldest native nidus that can read the store. */
  readableBy: string
}

/**
 * A vector store: exact cosine search over durable records.
 *
 * ```js
 * const db = await Nidus.open('notes', { dimension: 384 })
 * await db.upsert('docs', [{ id: 'a', vector, attrs: { lang: 'en' } }]) // durable once this resolves
 * const hits = await db.search(query, { topK: 5, filter: { lang: 'en' } })
 * await db.close()
 * ```
 *
 * Every method rejects with {@link NidusError} (`CLOSED` after `close`, `FAILED` once the medium failed in a way that leaves its state unknown).
 */
export class Nidus<A extends AttrsOf<A> = Attrs> {
  private constructor()
  /**
   * Opens a store, or makes it if there is none: then `dimension` is needed (`INVALID_ARGUMENT` without; `NOT_FOUND` with `readOnly`). `DIMENSION_MISMATCH` if the store's is another, `LOCKED` if it is open elsewhere and not to be
   * shared, `CORRUPT` if it is damaged (nothing is changed then: see `salvage`), `STORAGE_UNAVAILABLE` if the kind of storage cannot be used.
   *
   * ```js
   * const db = await Nidus.open('notes', { dimension: 384 })
   * ```
   */
  static open<A extends AttrsOf<A> = Attrs>(name: string, options?: OpenOptions): Promise<Nidus<A>>
  /**
   * The stores of one kind of storage; of none given, all that can be read here.
   *
   * ```js
   * for (const { name, storage, dimension } of await Nidus.list()) console.log(name, storage, dimension)
   * ```
   */
  static list(options?: StoreOptions): Promise<StoreInfo[]>
  /**
   * Removes a store and all that is in it, of whatever kind it is if none is given; `LOCKED` while it is open. One that does not exist is no error.
   *
   * ```js
   * await Nidus.destroy('notes')
   * ```
   */
  static destroy(name: string, options?: StoreOptions): Promise<void>
  /**
   * Whether the browser promises to keep what the origin stores. Never waits for longer than `timeout`: Firefox does not answer while its question is open
   * (the state is then `'unknown'`, and told by a later call). Rejects only for wrong options.
   *
   * ```js
   * const { state, usage, quota } = await Nidus.persistence({ request: true })
   * ```
   */
  static persistence(options?: PersistenceOptions): Promise<Persistence>
  /**
   * Reads a store, also one that `open` refuses as `CORRUPT`, without changing it, and writes all that is good in it into the new store `into` (`ALREADY_EXISTS` if there is one),
   * which is there whole or not at all. Behind damage later operations apply to what is known: a document may be there in an older version, or again although it was deleted.
   * `LOCKED` if somebody keeps writing to it meanwhile.
   *
   * ```js
   * const { salvaged } = await Nidus.salvage('notes', 'notes-saved')
   * ```
   */
  static salvage(name: string, into: string, options?: SalvageOptions): Promise<RecoveryReport>
  /**
   * Makes a store of what `export` gave, or native nidus's directory as a tar or as two files, byte for byte, and opens it. In Node, Deno and Bun `source` may also be the path (or file URL) of native's directory or of a tar.
   * Everything is checked as in `open` before the store is there: what is damaged is `CORRUPT`, what is no tar or not that of a store `INVALID_ARGUMENT`, and whatever fails leaves nothing behind.
   * A torn end, which `open` would cut, is cut and told by `recovery`. The store must not be open anywhere (`LOCKED`). While it runs there may be the old store and the new one on the medium, never more.
   * `OUTCOME_UNKNOWN` if the browser suspends the page meanwhile.
   *
   * ```js
   * const db = await Nidus.import('notes', await fetch('/notes.tar'), { onProgress: (done, total) => console.log(done, total) })
   * ```
   */
  static import<A extends AttrsOf<A> = Attrs>(name: string, source: ImportSource | string | URL, options?: ImportOptions): Promise<Nidus<A>>

  /**
   * Opens a store that is served as plain files, to be read only: an address under which native's `data` and `log` lie, the two files, or two objects in an R2 bucket. It runs in the caller's thread. A file that changes meanwhile is told by its ETag, its date or its length, and is
   * `STORAGE_FAILED`: never a mix of two stores. `NOT_FOUND` if there is none; `UNSUPPORTED` if compact memory is asked for and the server knows no ranges. What would write is `READ_ONLY`.
   *
   * ```js
   * const db = await Nidus.fromStatic('https://example.com/index/', { memory: 'compact', onProgress: (done, total) => console.log(done, total) })
   * ```
   */
  static fromStatic<A extends AttrsOf<A> = Attrs>(source: string | URL | StaticSource, options?: StaticOptions): Promise<Nidus<A>>

  readonly name: string
  readonly dimension: number
  /** The kind of storage in use: what was chosen, if it was not asked for. */
  readonly storage: string
  readonly recovery: RecoveryReport
  /** Resolves when the store can no longer be used, with the reason. Never rejects. */
  readonly closed: Promise<CloseReason>

  /**
   * One that exists is left as it is.
   *
   * ```js
   * await db.createCollection('docs')
   * ```
   */
  createCollection(name: string): Promise<void>
  /**
   * Whether it existed.
   *
   * ```js
   * const existed = await db.dropCollection('docs')
   * ```
   */
  dropCollection(name: string): Promise<boolean>
  /**
   * Whether there is one of that name.
   *
   * ```js
   * if (!(await db.hasCollection('docs'))) console.log('nothing yet')
   * ```
   */
  hasCollection(name: string): Promise<boolean>
  /**
   * Their names, in UTF-8 order.
   *
   * ```js
   * const names = await db.collections()
   * ```
   */
  collections(): Promise<string[]>
  /**
   * A collection's own metadata; `{}` if there is none, or no such collection.
   *
   * ```js
   * const { model } = await db.getMeta('docs')
   * ```
   */
  getMeta(collection: string): Promise<Record<string, string>>
  /**
   * Replaces all of it.
   *
   * ```js
   * await db.setMeta('docs', { model: 'all-MiniLM-L6-v2' })
   * ```
   */
  setMeta(collection: string, meta: Record<string, string>): Promise<void>
  /**
   * Adds records or replaces those of the same id. One call, one atomic batch; creates the collection. Of equal ids in a batch the last counts.
   * The input is captured before the call returns. Returns the batch's length.
   *
   * ```js
   * await db.upsert('docs', [{ id: 'a', vector: new Float32Array(384), attrs: { lang: 'en' } }])
   * await db.upsert('docs', { ids: ['b', 'c'], vectors: new Float32Array(2 * 384) }, { onProgress: (done, total) => console.log(done, total) })
   * ```
   */
  upsert(collection: string, batch: RecordInput<A>[] | ColumnarBatch<A>, options?: UpsertOptions): Promise<number>
  /**
   * In the order asked for, `undefined` where there is none.
   *
   * ```js
   * const [a, none] = await db.get('docs', ['a', 'no such id'])
   * ```
   */
  get(collection: string, ids: string[]): Promise<(VectorRecord<A> | undefined)[]>
  /**
   * All records by id (UTF-8 order), a page at a time: what is written meanwhile may or may not be seen.
   *
   * ```js
   * for await (const { id, attrs } of db.records('docs', { filter: { lang: 'en' } })) console.log(id, attrs)
   * ```
   */
  records(collection: string, options?: { filter?: Filter<A> } & SignalOption): AsyncIterableIterator<VectorRecord<A>>
  /**
   * Records of one collection, or of all.
   *
   * ```js
   * const english = await db.count('docs', { lang: 'en' })
   * ```
   */
  count(collection?: string, filter?: Filter<A>, options?: SignalOption): Promise<number>
  /**
   * How many there were.
   *
   * ```js
   * const removed = await db.delete('docs', ['a', 'b'])
   * ```
   */
  delete(collection: string, ids: string[]): Promise<number>
  /**
   * Deletes what matches; how many they were. One atomic batch.
   *
   * ```js
   * await db.deleteWhere('docs', { year: { $lt: 2000 } })
   * ```
   */
  deleteWhere(collection: string, filter: Filter<A>, options?: SignalOption): Promise<number>
  /**
   * The best `topK` by cosine, exactly. Equal scores by collection, then id.
   *
   * ```js
   * const hits = await db.search(query, { topK: 5, filter: { lang: 'en' }, minScore: 0.3 })
   * for (const { id, score, attrs } of hits) console.log(id, score, attrs)
   * ```
   */
  search(query: Float32Array | number[], options?: SearchOptions<A>): Promise<Hit<A>[]>
  /**
   * Several searches with the same options, in one pass over the codes for each eight of them: their hits, in the same order.
   *
   * ```js
   * const [first, second] = await db.searchMany([queryA, queryB], { topK: 5 })
   * ```
   */
  searchMany(queries: (Float32Array | number[])[], options?: SearchOptions<A>): Promise<Hit<A>[][]>
  /**
   * Resolves once everything acknowledged is durable (`durability: 'relaxed'`); rejects if some of it may be lost.
   *
   * ```js
   * await db.flush()
   * ```
   */
  flush(): Promise<void>
  /**
   * Rewrites the files without dead rows. Searches go on meanwhile, writes wait.
   *
   * ```js
   * if ((await db.footprint()).deadRows > 10_000) await db.compact()
   * ```
   */
  compact(): Promise<void>
  /**
   * What the store holds and takes up.
   *
   * ```js
   * const { rows, deadRows, diskBytes } = await db.footprint()
   * ```
   */
  footprint(): Promise<Footprint>
  /**
   * A tar of native nidus's directory (`data`, `log`) as it is after all that was called before, and never anything later: write on meanwhile. The same store gives the same bytes. It is read from the store as it is read from, about 1 MiB at
   * a time. `compact` waits until an export is through or cancelled, or has not been read from for a minute: then it goes ahead, and the export's next read fails with `ABORTED`, as it does when
   * the tab that leads the store goes away, or files opened read-only are replaced. `CLOSED` after `close`.
   *
   * ```js
   * await db.export().pipeTo(await fileHandle.createWritable())
   * ```
   */
  export(): ReadableStream<Uint8Array>
  /**
   * Finishes what was accepted, then releases everything. Idempotent. Rejects, with everything released all the same, if what was acknowledged under `durability: 'relaxed'` may be lost.
   * A host of your own whose `readAsync` does not answer is waited for a second; a static index's requests are ended at once. What waits for them is `CLOSED`.
   *
   * ```js
   * await using db = await Nidus.open('notes') // closes at the end of the block, or:
   * await db.close()
   * ```
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
