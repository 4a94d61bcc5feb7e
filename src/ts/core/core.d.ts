/**
 * The wasm core as the wrapper sees it: the classes that `src/bindings` exports, by hand.
 *
 * Every method is synchronous. Every method may throw an `Error` that has a string property `code`
 * (one of the codes of `NidusError`) and, where a handle threw first, `cause` (what it threw).
 * After a `WebAssembly.RuntimeError` (a trap) the instance must not be used again.
 *
 * Wire forms (all numbers little-endian, `str` = u64 byte length + UTF-8, as in the log):
 * value   u32 variant: 0 Null | 1 Str str | 2 Int i64 | 3 Bool u8 | 4 List u64 count, str... | 5 Float f64 | 6 DateTime
 * i64 ms
 * attrs   u64 count, then per entry: str key, value        (any key order going in; ascending by UTF-8 bytes coming
 * out)
 *   ids     per id: str
 *   batch   per record: str id, attrs
 *   meta    u64 count, then per entry: str key, str value
 *   filter  one expression, prefix form, a u8 tag first:
 *           0 And u32 n, n expressions | 1 Or u32 n, n expressions | 2 Not expression | 3 Eq str key, value
 *           | 4 In str key, u32 n, n values | 5 Compare str key, u8 (0 > | 1 >= | 2 < | 3 <=), value
 *           | 6 Glob str key, str pattern | 7 Contains str key, str element | 8 Exists str key
 * An empty array is "no filter". An absent key fails 3 to 8; `$ne` is And(Exists, Not(Eq)), `$nin` And(Exists,
 * Not(In)).
 *   hits    per hit: str collection, str id, attrs            (scores and vectors travel beside it)
 *   found   per id asked: u8 0 absent | 1 then attrs          (vectors beside it, present ones only, packed)
 *   records per record: str id, attrs                         (vectors beside it)
 */

import type { NoReceipt, Step } from './steps.js'

/** Anything shaped like FileSystemSyncAccessHandle, as far as the core uses it. */
export interface CoreHandle {
  read?(buffer: Uint8Array, options: { at: number }): number
  write(buffer: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  flush(): void
  getSize(): number
  close(): void
}

/** Opening is fed: the log and the data in any order, each from its beginning, then `finish`. */
export class Opening {
  /**
   * @param dimension undefined: whatever the file says (a new store then is INVALID_ARGUMENT)
   * @param maxVectorBytes undefined: no limit
   * @param compat '0.3' or undefined
   */
  constructor(
    dataLength: number,
    logLength: number,
    dimension: number | undefined,
    readOnly: boolean,
    relaxed: boolean,
    transactional: boolean,
    maxVectorBytes: number | undefined,
    compat: string | undefined,
    compact: boolean,
  )
  /** 0 before the header was read. */
  readonly dimension: number
  /** Compact memory, once the header was read: of how many rows a sample is wanted before they are read; 0: of none. */
  readonly wantsSample: number
  sample(rows: Float32Array): void
  feedData(bytes: Uint8Array): void
  feedLog(bytes: Uint8Array): void
  /**
   * Read up to `length` next bytes from a handle that has `read`; returns how many were read (0 at the end). No copy
   * through JavaScript.
   */
  pullData(handle: CoreHandle, length: number): number
  pullLog(handle: CoreHandle, length: number): number
  /**
   * Everything was fed: recover, and (unless read-only) cut what recovery cut, or write the header of a new store.
   * Consumes this object. `lendViews`: the handles keep no reference to the bytes they are given (true for real OPFS
   * handles and node:fs), so they get views of wasm memory; else each write gets a copy of its own.
   */
  finish(data: CoreHandle, log: CoreHandle, lendViews: boolean): Store
  free(): void
}

/**
 * Reads what is good in a damaged store: all of the data is fed, then all of the log. A dimension that is given counts,
 * whatever the header says.
 */
export class Salvage {
  constructor(dataLength: number, logLength: number, dimension: number | undefined)
  feed(log: boolean, bytes: Uint8Array): void
  /** A store without sinks, to be written by a compaction; `transactional`: as its new sinks are. */
  finish(transactional: boolean): Store
  /** After `finish`: frames taken, frames passed over, bytes of the log passed over, places of damage, documents without a row,
   * documents of a damaged row, bytes of a partial row, rows without a name, frames of another version; then offset and
   * length of the first places of damage, and of such frames. */
  readonly found: Float64Array
  free(): void
}

/**
 * Rows that one call needs and memory does not hold. Such a call returns undefined (a step: WANTING): read what is
 * `wanted`, `supply` it, and make the call again, with no write or compaction taking effect in between. Where all rows
 * are in memory one object serves all calls.
 */
export class Rows {
  constructor()
  /** Row numbers, ascending. */
  wanted(): Uint32Array
  /** These rows, one behind the other. */
  supply(vectors: Float32Array, dimension: number): void
  free(): void
}

/** Of each query how many hits, all of them one behind the other. */
export class Hits {
  readonly wire: Uint8Array
  readonly scores: Float32Array
  readonly counts: Uint32Array
  readonly vectors: Float32Array | undefined
  free(): void
}
/** A search under way. */
export class Search {
  /**
   * Leaves chunks before `dealt` to others but for each `parts`th; true: what they find must be merged. False: it goes
   * on alone.
   */
  split(store: Store, parts: number, dealt: number): boolean
  /** The rows of a part that count, as that part numbers them: a bit each, sixteen a number. Undefined: all. */
  rowsFor(store: Store, part: number): Uint16Array | undefined
  /** Searches what was not left to others; false: rows are wanting. */
  own(store: Store, rows: Rows): boolean
  merge(store: Store, query: number, part: number, rows: Uint32Array, scores: Float32Array): void
  advance(store: Store, rows: Rows, withVectors: boolean): Hits | undefined
  free(): void
}
/** A filter that is worked off in slices. */
export class Matching {
  /** True: what matches is known from now on, and calls that ask for it take little. */
  step(store: Store): boolean
  free(): void
}
export class Found {
  readonly wire: Uint8Array
  readonly vectors: Float32Array
  free(): void
}
/**
 * `count` records. `more` is false when the collection is exhausted; continue with `after` = the last id of the page.
 */
export class Page {
  readonly wire: Uint8Array
  readonly vectors: Float32Array
  readonly count: number
  readonly more: boolean
  free(): void
}

/**
 * A store. Mutations: `stage*` any number of times (one that throws drops out alone, the others stand), then
 *   write() -> [await host.commit()] -> apply()
 * `write` makes the group durable (strict, not transactional), or hands it to buffering sinks (transactional), or
 * appends the rows and holds the log run back until `flush` (relaxed). If `write` throws, it has rolled back (the store
 * goes on, nothing is staged) or the store is FAILED (`failed` says which). If the host's commit certainly did not
 * happen: `rollback()`. If that is unknown: `fail(why)`. Searches and reads between stage and apply see the state
 * before.
 */
export class Store {
  readonly dimension: number
  readonly readOnly: boolean
  readonly failed: boolean
  /** What open cut: bytes and frames of the log, bytes of the data file; `created`: the store was made by this open. JSON text of
   *  { logBytes, logFrames, dataBytes, created, orphanedRows } */
  readonly recovery: string

  stageCreate(collection: string): boolean // true: it did not exist
  stageDrop(collection: string): boolean // true: it existed
  stageSetMeta(collection: string, meta: Uint8Array): void
  // count
  stageUpsert(collection: string, count: number, batch: Uint8Array, vectors: Float32Array, before: number): number
  stageDelete(collection: string, count: number, ids: Uint8Array): number
  stageDeleteWhere(collection: string, filter: Uint8Array): number
  /**
   * The result of a write of this sender (sixteen letters) that was made or is staged, or a `NoReceipt` if there is
   * none. After `Unmade` and `Forgotten`, the mutation that is staged next counts as this write, and then
   * `stageReceipt` follows. `back`: how far below its number the sender still waits for answers. For number 0: the
   * highest number that was made, or 0 if none is known.
   */
  receipt(sender: string, number: number, back: number): number | NoReceipt
  stageReceipt(result: number): void
  /** Bytes staged so far (rows and frames): end the group when this is large. 0: nothing to write. */
  readonly stagedBytes: number
  /** Drops everything staged and not yet written: a big upsert is staged in slices, and all of it or nothing. */
  unstage(): void
  write(): void
  apply(): void
  rollback(): void
  fail(why: string): void
  /** Relaxed: data flushed, then the held runs written and published. Strict: both sinks flushed. */
  flush(): void
  /** Relaxed: bytes of log held back. */
  readonly heldBytes: number

  /**
   * Undefined: in one collection or in all the filter takes little time, or it is known what it matches. `byRow`: it is
   * for anything but a search.
   */
  matching(collection: string | undefined, filter: Uint8Array, byRow: boolean): Matching | undefined
  hasCollection(collection: string): boolean
  collections(): Uint8Array
  getMeta(collection: string): Uint8Array // meta
  /** Live documents, of one collection or (undefined) of all. */
  count(collection: string | undefined, filter: Uint8Array): number
  get(collection: string, count: number, ids: Uint8Array, rows: Rows): Found | undefined
  /** Records in ascending id order (UTF-8 bytes), those with id > after. At most `limit`. */
  records(
    collection: string,
    filter: Uint8Array,
    after: string | undefined,
    limit: number,
    rows: Rows,
  ): Page | undefined
  /**
   * Any number of queries, one behind the other. topK may be anything from 0 up; NaN minScore means none. collections:
   * how many names there are, undefined: all.
   */
  beginSearch(
    queries: Float32Array,
    collections: number | undefined,
    names: Uint8Array,
    topK: number,
    minScore: number,
    filter: Uint8Array,
  ): Search
  /**
   * JSON text of Footprint { rows, deadRows, codedRows, dimension, vectorBytes, docCount, memoryBytes, diskBytes,
   * readableBy }
   */
  footprint(): string
  /** A copy of the rows from `from` on, of as many as lie in one piece (about 1 MiB); none at the end. */
  rows(from: number): Float32Array
  /** Makes codes for a few milliseconds. */
  codeStep(rows: Rows): Step
  /** Rows in a chunk of codes: what is dealt out at once. */
  readonly chunkRows: number
  copyRows(from: number, to: Float32Array): void
  /** Rows that have no codes yet. */
  readonly uncoded: number
  /**
   * Dead rows over all rows, for a compaction that nobody asked for (native's rule: compact when it is > the
   * threshold); 0 where none may run, since the open cut something or found rows without a name.
   */
  readonly deadRatio: number

  /**
   * Compaction: beginCompaction -> compactStep() until it returns Step.Done -> finishCompaction() (both new sinks are
   * complete and flushed)
   * -> await host.promote(files) -> adoptCompaction() -> adoptStep() until true. No staging meanwhile (writes wait),
   * reads go on between steps. Before promote, abandonCompaction() leaves the store as it was; the caller disposes of
   * the new pair. A failure of promote whose outcome is unknown: fail().
   */
  beginCompaction(data: CoreHandle, log: CoreHandle, lendViews: boolean): void
  compactStep(rows: Rows): Step
  finishCompaction(): void
  abandonCompaction(): void
  adoptCompaction(): void
  adoptStep(): boolean

  /** Lets go of the sinks without flushing or closing them. */
  free(): void
}

export class Segment {
  /** A sink must have `read`. An empty one becomes a new segment. A partial row at the end is cut. */
  static open(handle: CoreHandle, dimension: number, lendViews: boolean): Segment
  static inMemory(dimension: number): Segment
  readonly dimension: number
  readonly rowCount: number
  /** All rows or none, as given (not normalized). Returns the index of the first new row. */
  append(vectors: Float32Array): number
  row(index: number): Float32Array
  /** The query normalized, rows as they are; ties by row. */
  search(query: Float32Array, topK: number, minScore: number): SegmentHits
  /** A few milliseconds of making codes; true: nothing is left to do. */
  codeStep(): boolean
  /** Of several queries, of the rows in `only` or all; with `ties` also those whose score is the last one's. */
  best(queries: Float32Array, topK: number, minScore: number, only: Uint16Array | undefined, ties: boolean): SegmentHits
  truncateTo(rows: number): void
  sync(): void
  rewriteTo(handle: CoreHandle, rows: Float32Array, lendViews: boolean): void
  free(): void
}
export class SegmentHits {
  readonly rows: Float64Array
  readonly scores: Float32Array
  readonly counts: Uint32Array
  free(): void
}

export interface InitOutput {
  readonly memory: WebAssembly.Memory
}
export function initSync(options: { module: WebAssembly.Module | BufferSource }): InitOutput
