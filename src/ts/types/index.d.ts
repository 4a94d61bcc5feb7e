/// <reference path="./platform.d.ts" />
/// <reference lib="esnext.disposable" />
import type { Attrs, Filter } from './attrs.js'
import type { ColumnarBatch, Listed, RecordChange, RecordInput, VectorRecord } from './records.js'
import type { AttrsIn, CollectionOf, HitIn, StoreOf } from './schema.js'
import type { Vector } from './vector.js'
import type {
  ImportOptions,
  ImportSource,
  OpenOptions,
  Persistence,
  PersistenceOptions,
  RecoveryReport,
  StoreInfo,
  StoreOptions,
} from './options.js'
import type { SalvageOptions, SalvageReport } from './salvage.js'
import type { NidusError } from './segment.js'
import type { ListenOptions, StoreEvents, StoreListener } from './changes.js'
import type { StaticOptions, StaticSource } from './static.js'
import type {
  CreateCollectionOptions,
  Hits,
  SetTextOptions,
  TextConfig,
  TextQuery,
  TextSettings,
  VectorQuery,
} from './text.js'
import type {
  ListOptions,
  QuestionOptions,
  SearchOptions,
  SignalOption,
  SimilarOptions,
  VectorSearchOptions,
} from './search.js'

export type { Attrs, AttrsOf, AttrValue, Condition, Filter, Operand, Operators } from './attrs.js'
export type { ColumnarBatch, Hit, Listed, ListedRecord, RecordChange, RecordInput, VectorRecord } from './records.js'
export type { CollectionChange, ListenOptions, StoreChange, StoreEvents, StoreListener } from './changes.js'
export type { Vector } from './vector.js'
export type { AttrsIn, CollectionOf, HitIn, StoreOf } from './schema.js'
export type { StorageHost, StoreFiles } from './host.js'
export type { StaticBucket, StaticOptions, StaticSource } from './static.js'
export type {
  ImportBytes,
  ImportOptions,
  ImportSource,
  OpenOptions,
  Persistence,
  PersistenceOptions,
  RecoveryReport,
  StorageKind,
  StoreInfo,
  StoreOptions,
} from './options.js'
export type { SalvageOptions, SalvagePlace, SalvageReport } from './salvage.js'

export type {
  CreateCollectionOptions,
  Facet,
  FacetCount,
  FilterKey,
  GroupBy,
  Hits,
  ListMatch,
  Query,
  SetTextOptions,
  TextConfig,
  TextField,
  TextHit,
  TextMatch,
  TextOptions,
  TextQuery,
  TextSettings,
  VectorQuery,
} from './text.js'

export type {
  ListOptions,
  QuestionOptions,
  SearchOptions,
  ShapeOptions,
  SignalOption,
  SimilarOptions,
  VectorSearchOptions,
} from './search.js'

export { NidusError } from './segment.js'
export type { NidusErrorCode, SyncAccessHandle, WasmSource } from './segment.js'

export interface UpsertOptions {
  /**
   * Aborts the write. Until the batch becomes durable, the call rejects with `ABORTED` and nothing is written. After
   * that the call ends as it would without the signal.
   */
  signal?: AbortSignal
  /**
   * Called with the number of records processed so far and the length of the batch. The two are equal only once the
   * batch is acknowledged.
   */
  onProgress?: (done: number, total: number) => void
  /**
   * For columns: moves the array of vectors to the store instead of copying it. Do not use the array afterwards, not
   * even if the call fails. An array that is a part of a larger buffer, or lies in shared memory, is copied all the
   * same. The memory of a wasm module cannot be sent to a worker (`INVALID_ARGUMENT`). Default: false.
   */
  transfer?: boolean
}

/** The reason why a store can no longer be used: `close` was called, or the store failed with this error. */
export type CloseReason = { reason: 'closed' } | { reason: 'failed'; error: NidusError }

/** The size of a store, in memory and on the disk. */
export interface Footprint {
  /** The number of rows in the data file, dead rows included. */
  rows: number
  /** The number of rows that no record refers to any more. `compact` removes them. */
  deadRows: number
  /**
   * The number of rows that have codes. A code is a short form of a row. It lets a search skip most rows without
   * reading them. Codes are made in the background after opening and writing. Searches are exact with and without them.
   */
  codedRows: number
  /** The number of numbers in a vector. */
  dimension: number
  /** The size of all rows, in bytes. `maxVectorBytes` limits this. */
  vectorBytes: number
  /** The number of records in all collections. */
  docCount: number
  /** The size of the whole wasm memory, in bytes. */
  memoryBytes: number
  /** The lengths of the data and the log file together, in bytes. */
  diskBytes: number
  /** The oldest version of native nidus that can read the store. */
  readableBy: string
  /** The index of words, if it is in use. */
  text?: {
    /** The memory of the index, in bytes. */
    bytes: number
    /** The number of its words. A word counts once for each collection and for each part that an index is made of. */
    terms: number
    /** The number of records that are not in the index yet. A search for words waits for them. */
    behind: number
  }
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
 * Every method rejects with a {@link NidusError}. Its code is `CLOSED` after `close`, `INVALID_ARGUMENT` for a wrong
 * argument, and `FAILED` once the storage has failed in such a way that nobody knows which bytes it holds.
 */
export class Nidus<S extends StoreOf<S> = Attrs> {
  private constructor()
  /**
   * Opens a store. Makes the store if there is none, which needs a `dimension`.
   *
   * Rejects with:
   * - `INVALID_ARGUMENT` if there is no such store and no `dimension` is given
   * - `NOT_FOUND` if there is no such store and `readOnly` is set
   * - `DIMENSION_MISMATCH` if the store has another dimension
   * - `LOCKED` if the store is open elsewhere and cannot be shared
   * - `CORRUPT` if the store is damaged. Nothing is changed then; `salvage` can rescue what is left.
   * - `STORAGE_UNAVAILABLE` if this kind of storage cannot be used
   *
   * ```js
   * const db = await Nidus.open('notes', { dimension: 384 })
   * ```
   */
  static open<S extends StoreOf<S> = Attrs>(name: string, options?: OpenOptions): Promise<Nidus<S>>
  /**
   * Lists the stores of one kind of storage. Without `storage`, lists the stores of every kind that can be read here.
   *
   * ```js
   * for (const { name, storage, dimension } of await Nidus.list()) console.log(name, storage, dimension)
   * ```
   */
  static list(options?: StoreOptions): Promise<StoreInfo[]>
  /**
   * Removes a store with all its records. Without `storage`, removes it from any kind of storage. It is no error if the
   * store does not exist. Rejects with `LOCKED` while the store is open.
   *
   * ```js
   * await Nidus.destroy('notes')
   * ```
   */
  static destroy(name: string, options?: StoreOptions): Promise<void>
  /**
   * Tells whether the browser promises to keep the data of this origin, and can ask the browser for that promise.
   * Answers within `timeout`. Firefox does not answer while it asks the user: the state is then `'unknown'`, and a
   * later call tells the user's decision. Rejects only for wrong options.
   *
   * ```js
   * const { state, usage, quota } = await Nidus.persistence({ request: true })
   * ```
   */
  static persistence(options?: PersistenceOptions): Promise<Persistence>
  /**
   * Rescues the records of a damaged store: copies all that is still good into the new store `into`, and returns a
   * report. It also reads a store that `open` refuses as `CORRUPT`. It never changes the damaged store. A crash leaves
   * either no new store or a complete one.
   *
   * If a part of the log is lost, the later operations are applied to what is known. So the new store may have an older
   * version of a record, and may have a record that was deleted.
   *
   * Rejects with `ALREADY_EXISTS` if the store `into` exists, and with `LOCKED` if somebody keeps writing to the
   * damaged store.
   *
   * ```js
   * const { documents, damageCount } = await Nidus.salvage('notes', 'notes-saved')
   * ```
   */
  static salvage(name: string, into: string, options?: SalvageOptions): Promise<SalvageReport>
  /**
   * Makes a store from an export and opens it. The new store has the same bytes. `source` is the tar that `export`
   * returns, or a directory of native nidus as a tar or as two files. In Node, Deno and Bun it can also be the path (or
   * the file URL) of such a directory or tar.
   *
   * Everything is checked as `open` checks it, before the store exists. If the import fails, it leaves nothing behind.
   * If a crash left the last operation half written, `open` would cut it off: the import does the same, and `recovery`
   * reports it. During an import the disk holds at most the old store and the new one.
   *
   * Rejects with:
   * - `ALREADY_EXISTS` if there is a store of that name and `replace` is not set
   * - `LOCKED` if the store is open anywhere
   * - `CORRUPT` if the source is damaged
   * - `INVALID_ARGUMENT` if the source is no tar, or no store
   * - `OUTCOME_UNKNOWN` if the browser suspends the page during the import
   *
   * ```js
   * const db = await Nidus.import('notes', await fetch('/notes.tar'), {
   *   onProgress: (done, total) => console.log(done, total),
   * })
   * ```
   */
  static import<S extends StoreOf<S> = Attrs>(
    name: string,
    source: ImportSource | string | URL,
    options?: ImportOptions,
  ): Promise<Nidus<S>>

  /**
   * Opens a store that is served as plain files, for reading only. `source` is the address of the directory with the
   * files `data` and `log`, or the two files themselves, or two objects in an R2 bucket. The store runs in the caller's
   * thread.
   *
   * A change of a file while the store is open is noticed by its ETag, its date or its length. The call then fails with
   * `STORAGE_FAILED`, so two versions are never mixed. Methods that write reject with `READ_ONLY`.
   *
   * Rejects with `NOT_FOUND` if there is no store. Rejects with `UNSUPPORTED` if `memory` is `'compact'`, no `cache` is
   * used, and the server cannot send a part of a file (range requests).
   *
   * ```js
   * const db = await Nidus.fromStatic('https://example.com/index/', {
   *   memory: 'compact',
   *   onProgress: (done, total) => console.log(done, total),
   * })
   * ```
   */
  static fromStatic<S extends StoreOf<S> = Attrs>(
    source: string | URL | StaticSource,
    options?: StaticOptions,
  ): Promise<Nidus<S>>

  /** The name that the store was opened by. */
  readonly name: string
  /** The number of numbers in a vector. */
  readonly dimension: number
  /** The kind of storage that the store is in. If `open` was given no `storage`, this is the kind that it chose. */
  readonly storage: string
  /** A report on what this opening had to repair, for example after a crash. */
  readonly recovery: RecoveryReport
  /** Resolves with the reason once the store can no longer be used. Never rejects. */
  readonly closed: Promise<CloseReason>

  /**
   * Creates a collection. Does nothing if the collection exists.
   *
   * ```js
   * await db.createCollection('docs')
   * ```
   */
  createCollection(name: CollectionOf<S>, options?: CreateCollectionOptions): Promise<void>
  /**
   * Deletes a collection with its records and its metadata. Returns whether the collection existed.
   *
   * ```js
   * const existed = await db.dropCollection('docs')
   * ```
   */
  dropCollection(name: string): Promise<boolean>
  /**
   * Returns whether a collection exists.
   *
   * ```js
   * if (!(await db.hasCollection('docs'))) console.log('nothing yet')
   * ```
   */
  hasCollection(name: string): Promise<boolean>
  /**
   * Returns the names of all collections, in UTF-8 order.
   *
   * ```js
   * const names = await db.collections()
   * ```
   */
  collections(): Promise<string[]>
  /**
   * Returns the metadata of a collection. Returns `{}` if the collection has none or does not exist.
   *
   * ```js
   * const { model } = await db.getMeta('docs')
   * ```
   */
  getMeta(collection: string): Promise<Record<string, string>>
  /**
   * Sets the metadata of a collection, replacing all that was there. Creates the collection if it does not exist.
   *
   * ```js
   * await db.setMeta('docs', { model: 'all-MiniLM-L6-v2' })
   * ```
   */
  setMeta(collection: CollectionOf<S>, meta: Record<string, string>): Promise<void>
  /**
   * Sets the attributes of a collection in which `search({ text })` finds words. `null` means none. Creates the
   * collection if it does not exist. If the collection has records, a new index is made, and the old index answers
   * until the new one is complete. The settings are kept in the store.
   *
   * ```js
   * await db.setText('docs', { title: { weight: 3 }, body: {} })
   * ```
   */
  setText(collection: CollectionOf<S>, text: TextConfig | null, options?: SetTextOptions): Promise<void>
  /**
   * Returns the attributes of a collection in which words are found, with their weights. Returns `undefined` if there
   * are none.
   *
   * ```js
   * const { title } = await db.getText('docs')
   * ```
   */
  getText(collection: CollectionOf<S>): Promise<TextSettings | undefined>
  /**
   * Stores one record or several, replacing those of the same id. Creates the collection if it does not exist. Returns
   * the number of records in the batch.
   *
   * One call is one atomic batch: after a crash all of its records are there or none. If an id occurs twice in a batch,
   * the last record counts. The records are copied before the call returns.
   *
   * ```js
   * await db.upsert('docs', { id: 'a', vector: new Float32Array(384), attrs: { lang: 'en' } })
   * await db.upsert('docs', { ids: ['b', 'c'], vectors: new Float32Array(2 * 384) }, {
   *   onProgress: (done, total) => console.log(done, total),
   * })
   * ```
   */
  upsert<C extends CollectionOf<S>>(
    collection: C,
    batch: RecordInput<AttrsIn<S, C>> | RecordInput<AttrsIn<S, C>>[] | ColumnarBatch<AttrsIn<S, C>>,
    options?: UpsertOptions,
  ): Promise<number>
  /**
   * Changes attributes of existing records, and leaves their vectors as they are. A key that is not named keeps its
   * value. A key whose value is `undefined` is removed. Returns the number of changes.
   *
   * One call is one atomic batch, as with `upsert`. It needs no room for vectors and leaves no dead rows. If an id
   * occurs twice, the changes are made one after the other. If one of the ids has no record, the call rejects with
   * `NOT_FOUND`, its message names such ids, and nothing is changed.
   *
   * ```js
   * await db.update('docs', { id: 'a', attrs: { pinned: true, draft: undefined } })
   * ```
   */
  update<C extends CollectionOf<S>>(
    collection: C,
    changes: RecordChange<AttrsIn<S, C>> | RecordChange<AttrsIn<S, C>>[],
    options?: SignalOption,
  ): Promise<number>
  /**
   * Returns the record with this id, or `undefined` if there is none.
   *
   * ```js
   * const record = await db.get('docs', 'a')
   * ```
   */
  get<C extends CollectionOf<S>>(collection: C, id: string): Promise<VectorRecord<AttrsIn<S, C>> | undefined>
  /**
   * Returns the records with these ids, in the order of the ids. An id without a record gives `undefined`.
   *
   * ```js
   * const [a, none] = await db.get('docs', ['a', 'no such id'])
   * ```
   */
  get<C extends CollectionOf<S>>(collection: C, ids: string[]): Promise<(VectorRecord<AttrsIn<S, C>> | undefined)[]>
  /**
   * Iterates over the records of a collection, ordered by id (in UTF-8 order). With `filter`, only over those that
   * match. Records are read a page at a time: a record that is written meanwhile may be seen or not.
   *
   * ```js
   * for await (const { id, attrs } of db.records('docs', { filter: { lang: 'en' } })) console.log(id, attrs)
   * ```
   */
  records<C extends CollectionOf<S>>(
    collection: C,
    options?: {
      /** Iterates only over the records that match this filter. Default: all records. */
      filter?: Filter<AttrsIn<S, C>>
    } & SignalOption,
  ): AsyncIterableIterator<VectorRecord<AttrsIn<S, C>>>
  /**
   * Counts the records of one collection, or of all collections if none is given. With `filter`, counts only the
   * records that match.
   *
   * ```js
   * const english = await db.count('docs', { lang: 'en' })
   * ```
   */
  count<C extends CollectionOf<S> = CollectionOf<S>>(
    collection?: C,
    filter?: Filter<AttrsIn<S, C>>,
    options?: SignalOption,
  ): Promise<number>
  /**
   * Deletes the record with this id, or the records with these ids in one atomic batch. Returns the number of records
   * that were deleted.
   *
   * ```js
   * const removed = await db.delete('docs', ['a', 'b'])
   * ```
   */
  delete(collection: CollectionOf<S>, ids: string | string[]): Promise<number>
  /**
   * Deletes the records that match a filter, in one atomic batch. Returns the number of records that were deleted.
   *
   * ```js
   * await db.deleteWhere('docs', { year: { $lt: 2000 } })
   * ```
   */
  deleteWhere<C extends CollectionOf<S>>(
    collection: C,
    filter: Filter<AttrsIn<S, C>>,
    options?: SignalOption,
  ): Promise<number>
  /**
   * Finds the `topK` records that are most similar to a query, best first. The result is exact: it is the same as if
   * every record had been compared. Similarity is the cosine of query and record. Hits of equal score are ordered by
   * collection, then by id.
   *
   * Rejects with `DIMENSION_MISMATCH` if the query has another length than the store's vectors.
   *
   * ```js
   * const hits = await db.search(query, { topK: 5, filter: { lang: 'en' }, minScore: 0.3 })
   * for (const { id, score, attrs } of hits) console.log(id, score, attrs)
   * ```
   */
  search<C extends CollectionOf<S> = CollectionOf<S>>(
    query: Vector | VectorQuery,
    options?: VectorSearchOptions<AttrsIn<S, C>, C>,
  ): Promise<Hits<HitIn<S, C>>>
  /**
   * Finds the `topK` best records for words, for a vector, or for both, best first. The result is exact, too: it is the
   * same as if every record had been compared. The score of words is BM25 over the records that the store has at that
   * moment.
   *
   * Rejects with `INVALID_ARGUMENT` if `text` is given and no collection of the search has text settings.
   *
   * ```js
   * const hits = await db.search({ text: 'eacces permission', vector }, { topK: 10, highlight: true })
   * for (const { id, score, snippet } of hits) console.log(id, score, snippet)
   * ```
   */
  search<C extends CollectionOf<S> = CollectionOf<S>>(
    query: TextQuery,
    options?: QuestionOptions<AttrsIn<S, C>, C>,
  ): Promise<Hits<HitIn<S, C>>>
  /**
   * Searches for several queries with the same options. Returns one list of hits for each query, in the order of the
   * queries. It is faster than single searches, because eight queries share one pass over the store.
   *
   * ```js
   * const [first, second] = await db.searchMany([queryA, queryB], { topK: 5 })
   * ```
   */
  searchMany<C extends CollectionOf<S> = CollectionOf<S>>(
    queries: Vector[],
    options?: SearchOptions<AttrsIn<S, C>, C>,
  ): Promise<HitIn<S, C>[][]>
  /**
   * Finds the records that are most similar to a stored record, which is itself left out. This is a search for the
   * vector of that record, by default in all collections.
   *
   * Rejects with `NOT_FOUND` if there is no such record.
   *
   * ```js
   * const related = await db.similar('docs', 'intro', { collections: 'docs', topK: 5, attrs: ['title'] })
   * ```
   */
  similar<C extends CollectionOf<S> = CollectionOf<S>>(
    collection: CollectionOf<S>,
    id: string,
    options?: SimilarOptions<AttrsIn<S, C>, C>,
  ): Promise<Hits<HitIn<S, C>>>
  /**
   * Returns records of a collection as a list, ordered by attributes, without their vectors. To read a large collection
   * in little memory, use `records`.
   *
   * ```js
   * const newest = await db.list('notes', { filter: { pinned: false }, orderBy: { at: 'desc' }, limit: 20 })
   * ```
   */
  list<C extends CollectionOf<S>>(collection: C, options?: ListOptions<AttrsIn<S, C>>): Promise<Listed<AttrsIn<S, C>>>
  /**
   * Waits until every acknowledged write is durable. It is needed only under `durability: 'relaxed'`. Rejects if some
   * of the acknowledged writes may be lost.
   *
   * ```js
   * await db.flush()
   * ```
   */
  flush(): Promise<void>
  /**
   * Removes dead rows by writing the store's files anew. Searches go on meanwhile. Writes wait until it is done.
   *
   * ```js
   * if ((await db.footprint()).deadRows > 10_000) await db.compact()
   * ```
   */
  compact(): Promise<void>
  /**
   * Returns how many rows and records the store holds, and how much memory and disk it takes.
   *
   * ```js
   * const { rows, deadRows, diskBytes } = await db.footprint()
   * ```
   */
  footprint(): Promise<Footprint>
  /**
   * Returns the whole store as a stream: a tar with the files `data` and `log`, as native nidus has them.
   *
   * The tar holds the store as it is after all earlier calls. Later writes may go on and are not in it. The same store
   * gives the same bytes. The stream reads about 1 MiB at a time.
   *
   * `compact` waits until the export has been read or cancelled. If nobody reads from the export for a minute,
   * `compact` goes ahead, and the export's next read fails with `ABORTED`. It also fails with `ABORTED` if the browser
   * tab that runs the store goes away, or if the files of a store opened read-only are replaced. It fails with `CLOSED`
   * after `close`.
   *
   * ```js
   * await db.export().pipeTo(await fileHandle.createWritable())
   * ```
   */
  export(): ReadableStream<Uint8Array>
  /**
   * Calls `listener` after each committed write, in whichever tab or worker it was made. The listener gets the writes
   * in their order, each once. A search in the listener finds what they wrote. Returns a function that removes the
   * listener, as `off` and the option `signal` do. A listener that is added twice is called once for each write.
   *
   * If it is not known what was written, for example because another tab took over the store, `reset` is true. Then
   * treat everything as changed. A compaction changes no data, so the listener is not called. In a store that is opened
   * read-only the listener is never called. An error that a listener throws becomes an uncaught error. Throws
   * `INVALID_ARGUMENT` for a wrong argument.
   *
   * ```js
   * const stop = db.on('change', ({ collections, reset }) => {
   *   if (reset || collections.docs) searchAgain()
   * })
   * ```
   */
  on<E extends keyof StoreEvents>(event: E, listener: StoreListener<E>, options?: ListenOptions): () => void
  /**
   * Removes a listener. Does nothing if the listener is not there.
   *
   * ```js
   * db.off('change', listener)
   * ```
   */
  off<E extends keyof StoreEvents>(event: E, listener: StoreListener<E>): void
  /**
   * Finishes the calls that were accepted, then closes the store and releases its lock and its memory. Further calls of
   * `close` do nothing.
   *
   * Rejects if acknowledged writes may be lost, which can happen only under `durability: 'relaxed'`. The store is
   * closed nevertheless.
   *
   * Closing a static store ends its requests at once. If a host of your own does not answer a `readAsync`, `close`
   * waits one second for the answer. Calls that still wait for a read reject with `CLOSED`.
   *
   * ```js
   * await using db = await Nidus.open('notes') // closes at the end of the block, or:
   * await db.close()
   * ```
   */
  close(): Promise<void>
  /** Closes the store, as `close` does. `await using` calls this at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>
}
