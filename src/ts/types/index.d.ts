import type { NidusError, SyncAccessHandle, WasmSource } from './segment.js'

export { NidusError } from './segment.js'
export type { NidusErrorCode, SyncAccessHandle, WasmSource } from './segment.js'

/**
 * A value of an attribute. Safe integers (not -0) and bigints are stored as 64-bit integers, other finite numbers as 64-bit floats, a Date in whole milliseconds.
 * Integers read back as number where that is exact, else as bigint. NaN, infinities, invalid dates, bigints beyond 64 bits, and strings with a lone
 * surrogate are `INVALID_ARGUMENT`.
 */
export type AttrValue = null | string | number | bigint | boolean | Date | string[]
/** A key whose value is `undefined` counts as absent. `null` is present. */
export type Attrs = { [key: string]: AttrValue | undefined }

/** A record on its way in. The vector need not be normalized; it is captured when the call is made. */
export interface RecordInput<A extends Attrs = Attrs> {
  id: string
  vector: Float32Array | number[]
  attrs?: A
}

/** Many records on their way in, the quick form. */
export interface ColumnarBatch<A extends Attrs = Attrs> {
  ids: string[]
  /** `ids.length * dimension` numbers, row by row. */
  vectors: Float32Array
  /** One per id, if given. */
  attrs?: A[]
}

export interface VectorRecord<A extends Attrs = Attrs> {
  id: string
  /** As stored: normalized. */
  vector: Float32Array
  attrs: A
}

export interface Hit<A extends Attrs = Attrs> {
  collection: string
  id: string
  /** Cosine similarity. */
  score: number
  attrs: A
  /** Only with `withVectors`. */
  vector?: Float32Array
}

/** Conditions on one attribute; several are ANDed. An absent key fails each of them but `$exists: false` and `$not`. */
export interface Operators {
  $eq?: AttrValue
  $ne?: AttrValue
  $in?: AttrValue[]
  $nin?: AttrValue[]
  /** Ordering holds only within one type; integers and floats compare by value, lists element by element. */
  $gt?: AttrValue
  $gte?: AttrValue
  $lt?: AttrValue
  $lte?: AttrValue
  /** Of a whole string: `*` any run (also over `/`), `?` one character, `[a-z]` one of a class, `[!a-z]` one not of it. */
  $glob?: string
  /** The list holds this element. */
  $contains?: string
  $exists?: boolean
  $not?: Condition
}
export type Condition = AttrValue | Operators

/**
 * `{ path: { $glob: 'src/*' }, lang: 'rust', year: { $gte: 2020, $lt: 2025 }, $or: [{ tag: 'a' }, { tag: 'b' }] }`: all must hold.
 * A plain value means `$eq`. `{}` matches everything. Keys that begin with `$` are operators. Nested at most 64 deep.
 */
export type Filter<A extends Attrs = Attrs> = string extends keyof A
  ? { [key: string]: Condition | Filter<A> | Filter<A>[] }
  : { [K in keyof A & string]?: Condition } & { $and?: Filter<A>[]; $or?: Filter<A>[]; $not?: Filter<A> }

export interface SearchOptions<A extends Attrs = Attrs> {
  /** Default: all. Named twice counts once; one that does not exist holds nothing. */
  collections?: string | string[]
  /** Default 10. 0 gives []. */
  topK?: number
  /** Only hits whose score is at least this. */
  minScore?: number
  filter?: Filter<A>
  withVectors?: boolean
  signal?: AbortSignal
}

export interface UpsertOptions {
  /** Aborts until the batch is published (`ABORTED`, nothing written); after that the true outcome is told. */
  signal?: AbortSignal
  /** Rows taken up so far, of all; equal only when the batch is acknowledged. */
  onProgress?: (done: number, total: number) => void
  /** Columnar input: gives the array away instead of copying it. Do not use it afterwards, not even if the call fails. */
  transfer?: boolean
}

/** A pair of sinks: `data` (rows) and `log` (operations). */
export interface StoreFiles {
  data: SyncAccessHandle
  log: SyncAccessHandle
}

/**
 * Where a store lives. Write your own for another medium: it runs in the caller's thread. Every handle is closed by the store, once;
 * `close` of the host comes after.
 */
export interface StorageHost {
  readonly kind: string
  /** The sinks only buffer, and `commit` applies everything in one transaction. */
  readonly transactional?: boolean
  /**
   * Takes the lock (reject with a `NidusError` of code `LOCKED` if another holds it) and returns the current pair, empty sinks for a new store.
   * `mustExist`: reject with `NOT_FOUND` instead of creating. `readOnly`: take no lock and change nothing.
   */
  open(mode: { readOnly: boolean; mustExist: boolean }): Promise<StoreFiles>
  /** A fresh, empty pair that nothing points at yet. */
  create(): Promise<StoreFiles>
  /** The one atomic step that makes a pair from `create`, complete and flushed, the current one. If it rejects, the store is `FAILED`. */
  promote(files: StoreFiles): Promise<void>
  /**
   * Resolves once everything written so far is durable. A transactional host that rejects has applied nothing,
   * unless the error is a `NidusError` of code `OUTCOME_UNKNOWN`. For any other host a rejection means that the outcome is unknown.
   */
  commit(): Promise<void>
  /** Releases the lock. `open` may follow. */
  close(): Promise<void>
  /** Removes the store, which is closed. */
  destroy(): Promise<void>
  /**
   * Between the slices of a compaction or an import: writes out what the sinks of `create` have buffered, so that it need not all be in memory at once; with `all`, to the last byte, since an import reads
   * back what it wrote before `promote`. Needed only where the sinks cannot read what they have buffered.
   */
  drain?(all?: boolean): Promise<void>
}

export type StorageKind = 'opfs' | 'indexeddb' | 'fs' | 'memory'

export interface OpenOptions {
  /** Numbers in a vector, 1 to 65,536. Needed only to create a store; checked against an existing one. */
  dimension?: number
  /**
   * Default in browsers: what the store is kept in; for a new one `'opfs'` if a file really opens there, else `'indexeddb'`. The kind is recorded when the store is made, and kept:
   * where it cannot be used, or another one is asked for, `STORAGE_UNAVAILABLE`. In Node, Deno and Bun: `'fs'` (the name is the directory's path). In workerd: none.
   */
  storage?: StorageKind | StorageHost
  /** Takes no lock, changes nothing, repairs nothing; sees the store as it was at open. */
  readOnly?: boolean
  /** `'strict'` (default): acknowledged means durable. `'relaxed'`: acknowledged when written, durable within about a second or after `flush()`. */
  durability?: 'strict' | 'relaxed'
  /** Compact at open if more than this part of the rows is dead. Default 0.5; `false`: never. */
  autoCompact?: number | false
  /** Refuse (`CAPACITY`) rows beyond this many bytes. Default: no limit. */
  maxVectorBytes?: number
  /** `'0.3'`: reject values that native nidus 0.3 cannot read (floats, dates). */
  compat?: '0.3'
  /**
   * `'full'` (default): all rows are in memory, and codes beside them, a quarter as large. `'compact'`: the codes alone, about a quarter of the rows' bytes; the few rows that a search, `get`,
   * `records` or a compaction wants are read from the storage. The same answers, to the bit. Opening reads every row once and makes its codes. Not with `storage: 'memory'` (`UNSUPPORTED`).
   */
  memory?: 'full' | 'compact'
  /**
   * Threads that search, this one included. Default 1. The further ones are workers with copies of their share of the rows (a half of them for 2), so that a search of many rows takes a part of the time;
   * the answers are the same, to the bit. Pays from some 50,000 rows on. Not with `memory: 'compact'`, nor where there are no workers (workerd): `UNSUPPORTED`.
   */
  workers?: number
  /**
   * Default in browsers, for `opfs` and `indexeddb`: any number of tabs and workers of the origin may open the store. The first has it, the others ask that one; when it is closed, killed or
   * frozen another goes on. What was asked and not answered is asked again, but for a write: `OUTCOME_UNKNOWN`, since sending it again could overwrite something newer. `false`: this opening alone, and `LOCKED`
   * to (or by) others. Needs Web Locks, so https or localhost.
   */
  multiTab?: boolean
  /** Starts the package's worker, where a bundler needs to be told how: `() => new Worker(...)` of `nidus-wasm/worker`. Browsers only. */
  worker?: () => Worker
  wasm?: WasmSource
}

export interface StoreOptions {
  storage?: StorageKind | StorageHost
  /** `list` with `'fs'`: the directory whose subdirectories are looked at. Default: the working directory. */
  root?: string
  worker?: () => Worker
  wasm?: WasmSource
}

export interface PersistenceOptions {
  /** Ask the browser to keep the origin's storage (`navigator.storage.persist()`). Some ask the user; where only pages may ask (workers), it is not asked. Default false. */
  request?: boolean
  /** How long each of the browser's answers may take, in milliseconds. Default 3000. */
  timeout?: number
}

export interface Persistence {
  /** `'best-effort'`: the browser may remove all of the origin's storage when the device runs out of room. `'unknown'`: it does not say, or not in time; and wherever there is no browser. */
  state: 'persistent' | 'best-effort' | 'unknown'
  /** Bytes that the origin uses, and may use, as far as the browser tells. */
  usage?: number
  quota?: number
}

export interface StoreInfo {
  name: string
  storage: string
  /** Missing if the store was never finished. */
  dimension?: number
  /** Lengths of data and log, in bytes. */
  diskBytes: number
}

/** What opening had to do. All zero for a store that was closed in order. */
export interface RecoveryReport {
  /** Bytes cut from the ends of both files. */
  bytes: number
  /** Frames of the log, whole or begun, within the bytes cut. */
  frames: number
  logBytes: number
  dataBytes: number
  /** This open made the store. */
  created: boolean
  /** This open compacted the store. */
  compacted: boolean
  /** Auto-compaction was due and failed; the store is as it was. */
  compactionError?: NidusError
  /** Only of `Nidus.salvage`. The numbers above then tell what could not be taken: bytes of both files, and frames as far as they can be told apart. */
  salvaged?: Salvaged
}

/** What salvage brought along, and what was wrong. */
export interface Salvaged {
  documents: number
  collections: number
  /** Frames of the log whose operations were taken. */
  frames: number
  /** Whole rows in the data. */
  rows: number
  /** Rows that no document refers to: overwritten, deleted, or with their documents lost. */
  orphanedRows: number
  /** Upserts passed over since the data has no such row. */
  missingRows: number
  /** Documents dropped since their rows are not of unit length, or were given to a later document. */
  damagedRows: number
  /** Places of damage in the log. */
  damages: number
  /** The first 64 of them. */
  damage: { offset: number; length: number }[]
}

export interface SalvageOptions {
  /** The dimension, where the data's header is damaged. One that is given counts, whatever the header says. */
  dimension?: number
  /** Of both stores; as in `open`. */
  storage?: StorageKind | StorageHost
  /** With a host of your own: the one to salvage into. */
  into?: StorageHost
  worker?: () => Worker
  wasm?: WasmSource
}

/** Bytes to import. What it throws is passed on; what is no `NidusError` as the `cause` of one of code `FAILED`. */
export type ImportBytes = ReadableStream<Uint8Array> | Blob | Response | ArrayBuffer | Uint8Array | AsyncIterable<Uint8Array>

/** A tar with the files `data` and `log` (in any directory, in any order; others are passed over), or the two files each by itself. Not to be changed before the import has ended. */
export type ImportSource = ImportBytes | { data: ImportBytes; log: ImportBytes }

/** `dimension` is compared to the input's; `readOnly` is refused; `autoCompact` counts from the next opening on: what is imported stays as it is. */
export interface ImportOptions extends OpenOptions {
  /** Puts the import in the place of a store of that name, atomically: after a crash there is the old one or the new one, whole. Default false: `ALREADY_EXISTS`. */
  replace?: boolean
  /** Aborts (`ABORTED`, and everything is as before) until the new store is made current; after that the true outcome is told. */
  signal?: AbortSignal
  /** Bytes of the source taken up so far, of all, if that is known; equal only when the import is done. */
  onProgress?: (done: number, total: number | undefined) => void
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
export class Nidus<A extends Attrs = Attrs> {
  private constructor()
  static open<A extends Attrs = Attrs>(name: string, options?: OpenOptions): Promise<Nidus<A>>
  /** The stores of one kind of storage; of none given, all that can be read here. */
  static list(options?: StoreOptions): Promise<StoreInfo[]>
  /** Removes a store and all that is in it, of whatever kind it is if none is given; `LOCKED` while it is open. One that does not exist is no error. */
  static destroy(name: string, options?: StoreOptions): Promise<void>
  /**
   * Whether the browser promises to keep what the origin stores. Never waits for longer than `timeout`: Firefox does not answer while its question is open
   * (the state is then `'unknown'`, and told by a later call). Rejects only for wrong options.
   */
  static persistence(options?: PersistenceOptions): Promise<Persistence>
  /**
   * Reads a store, also one that `open` refuses as `CORRUPT`, without changing it, and writes all that is good in it into the new store `into` (`ALREADY_EXISTS` if there is one),
   * which is there whole or not at all. Behind damage later operations apply to what is known: a document may be there in an older version, or again although it was deleted.
   * `LOCKED` if somebody keeps writing to it meanwhile.
   */
  static salvage(name: string, into: string, options?: SalvageOptions): Promise<RecoveryReport>
  /**
   * Makes a store of what `export` gave, or native nidus's directory as a tar or as two files, byte for byte, and opens it. In Node, Deno and Bun `source` may also be the path (or file URL) of native's directory or of a tar.
   * Everything is checked as in `open` before the store is there: what is damaged is `CORRUPT`, what is no tar or not that of a store `INVALID_ARGUMENT`, and whatever fails leaves nothing behind.
   * A torn end, which `open` would cut, is cut and told by `recovery`. The store must not be open anywhere (`LOCKED`). While it runs there may be the old store and the new one on the medium, never more.
   * `OUTCOME_UNKNOWN` if the browser suspends the page meanwhile.
   */
  static import<A extends Attrs = Attrs>(name: string, source: ImportSource | string | URL, options?: ImportOptions): Promise<Nidus<A>>

  readonly name: string
  readonly dimension: number
  /** The kind of storage in use: what was chosen, if it was not asked for. */
  readonly storage: string
  readonly recovery: RecoveryReport
  /** Resolves when the store can no longer be used, with the reason. Never rejects. */
  readonly closed: Promise<CloseReason>

  /** One that exists is left as it is. */
  createCollection(name: string): Promise<void>
  /** Whether it existed. */
  dropCollection(name: string): Promise<boolean>
  hasCollection(name: string): Promise<boolean>
  collections(): Promise<string[]>
  getMeta(collection: string): Promise<Record<string, string>>
  /** Replaces all of it. */
  setMeta(collection: string, meta: Record<string, string>): Promise<void>
  /**
   * Adds records or replaces those of the same id. One call, one atomic batch; creates the collection. Of equal ids in a batch the last counts.
   * The input is captured before the call returns. Returns the batch's length.
   */
  upsert(collection: string, batch: RecordInput<A>[] | ColumnarBatch<A>, options?: UpsertOptions): Promise<number>
  /** In the order asked for, `undefined` where there is none. */
  get(collection: string, ids: string[]): Promise<(VectorRecord<A> | undefined)[]>
  /** All records by id (UTF-8 order), a page at a time: what is written meanwhile may or may not be seen. */
  records(collection: string, options?: { filter?: Filter<A> }): AsyncIterableIterator<VectorRecord<A>>
  /** Records of one collection, or of all. */
  count(collection?: string, filter?: Filter<A>): Promise<number>
  /** How many there were. */
  delete(collection: string, ids: string[]): Promise<number>
  deleteWhere(collection: string, filter: Filter<A>): Promise<number>
  /** The best `topK` by cosine, exactly. Equal scores by collection, then id. */
  search(query: Float32Array | number[], options?: SearchOptions<A>): Promise<Hit<A>[]>
  searchMany(queries: (Float32Array | number[])[], options?: SearchOptions<A>): Promise<Hit<A>[][]>
  /** Resolves once everything acknowledged is durable (`durability: 'relaxed'`). */
  flush(): Promise<void>
  /** Rewrites the files without dead rows. Searches go on meanwhile, writes wait. */
  compact(): Promise<void>
  footprint(): Promise<Footprint>
  /**
   * A tar of native nidus's directory (`data`, `log`) as it is after all that was called before, and never anything later: write on meanwhile. The same store gives the same bytes. It is read from the store as it is read from, about 1 MiB at
   * a time. `compact` waits until an export is through or cancelled, or has not been read from for a minute: then it goes ahead, and the export's next read fails with `ABORTED`, as it does when
   * the tab that leads the store goes away, or files opened read-only are replaced. `CLOSED` after `close`.
   */
  export(): ReadableStream<Uint8Array>
  /** Finishes what was accepted, then releases everything. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
