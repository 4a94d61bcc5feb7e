/**
 * The wasm core as the wrapper sees it: the classes that `src/bindings` exports, declared by hand.
 *
 * Every method is synchronous. Every method may throw an `Error` that has a string property `code`
 * (one of the codes of `NidusError`). If a handle threw first, `cause` is what it threw.
 * After a `WebAssembly.RuntimeError` (a trap) the instance must not be used again.
 *
 * Wire forms (all numbers little-endian, `str` = u64 byte length + UTF-8, as in the log):
 *   value   u32 variant: 0 Null | 1 Str str | 2 Int i64 | 3 Bool u8 | 4 List u64 count, str... | 5 Float f64
 *           | 6 DateTime i64 ms
 *   attrs   u64 count, then per entry: str key, value
 *           (in any order of keys into the core, in ascending order of their UTF-8 bytes out of it)
 *   ids     per id: str
 *   batch   per record: str id, attrs
 *   changes per record: str id, u64 count, then per entry: str key, value (u32 4294967295 alone: the key goes away)
 *   meta    u64 count, then per entry: str key, str value
 *   filter  one expression, prefix form, a u8 tag first:
 *           0 And u32 n, n expressions | 1 Or u32 n, n expressions | 2 Not expression | 3 Eq str key, value
 *           | 4 In str key, u32 n, n values | 5 Compare str key, u8 (0 > | 1 >= | 2 < | 3 <=), value
 *           | 6 Glob str key, str pattern | 7 Contains str key, str element or part | 8 Exists str key
 *           | 9 IGlob str key, str pattern | 10 StartsWith str key, str part | 11 IContains str key, str part
 *           | 12 ContainsAny, 13 ContainsAll str key, u32 n, n str
 *           An empty array means no filter. Expressions from 3 on do not match a record without the key.
 *           `$ne` is And(Exists, Not(Eq)), `$nin` is And(Exists, Not(In)).
 *   hits    per hit: str collection, str id, attrs            (scores and vectors are separate arrays)
 *   found   per id asked: u8 0 absent | 1 then attrs          (the vectors of those present are a separate array)
 *   records per record: str id, attrs                         (the vectors are a separate array)
 */

import type { NoReceipt, Step } from './steps.js'

/** The part of FileSystemSyncAccessHandle that the core uses. Any object of this shape will do. */
export interface CoreHandle {
  read?(buffer: Uint8Array, options: { at: number }): number
  write(buffer: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  flush(): void
  getSize(): number
  close(): void
}

/** Opens a store. Feed the log and the data, in any order, each from its beginning. Then call `finish`. */
export class Opening {
  /**
   * @param dimension undefined: the one that the file says (then a new store is INVALID_ARGUMENT)
   * @param maxVectorBytes undefined: no limit
   * @param only03 refuse values that native 0.3.0 does not know
   */
  constructor(
    dataLength: number,
    logLength: number,
    dimension: number | undefined,
    readOnly: boolean,
    relaxed: boolean,
    transactional: boolean,
    maxVectorBytes: number | undefined,
    only03: boolean,
    compact: boolean,
  )
  /** 0 until the header has been read. */
  readonly dimension: number
  /**
   * With compact memory: the number of rows that `sample` must get before the data is fed. It is known once the header
   * has been read. 0: none.
   */
  readonly wantsSample: number
  sample(rows: Float32Array): void
  feedData(bytes: Uint8Array): void
  feedLog(bytes: Uint8Array): void
  /**
   * Reads up to `length` next bytes from a handle that has `read`, without a copy through JavaScript. Returns how many
   * bytes were read, 0 at the end.
   */
  pullData(handle: CoreHandle, length: number): number
  pullLog(handle: CoreHandle, length: number): number
  /**
   * Recovers the store once everything has been fed. Unless read-only, cuts the files as recovery decided, or writes
   * the header of a new store. Consumes this object. `lendViews` says that the handles keep no reference to the bytes
   * that they are given, which is true for real OPFS handles and node:fs. They then get views of wasm memory; otherwise
   * each write gets a copy.
   */
  finish(data: CoreHandle, log: CoreHandle, lendViews: boolean): Store
  free(): void
}

/**
 * Reads the good parts of a damaged store. Feed all of the data, then all of the log. If a dimension is given, it is
 * used and not the one in the header.
 */
export class Salvage {
  constructor(dataLength: number, logLength: number, dimension: number | undefined)
  feed(log: boolean, bytes: Uint8Array): void
  /** Returns a store without sinks, to be written by a compaction. `transactional` says whether its new sinks are. */
  finish(transactional: boolean): Store
  /**
   * After `finish`, these counts in this order: frames taken, frames skipped, bytes of the log skipped, places of
   * damage, documents without a row, documents whose row is damaged, bytes of a partial row, rows without a name,
   * frames of another version. Then the offset and length of each of the first places of damage, and of each of the
   * first frames of another version.
   */
  readonly found: Float64Array
  free(): void
}

/**
 * The rows that a call needs and memory does not hold. Such a call returns undefined (a step returns Step.Wanting).
 * Then read the rows that are `wanted`, `supply` them, and make the call again. No write or compaction may take effect
 * in between. If all rows are in memory, one object serves all calls.
 */
export class Rows {
  constructor()
  /** Returns row numbers, ascending. */
  wanted(): Uint32Array
  /** Takes these rows, in the same order. */
  supply(vectors: Float32Array, dimension: number): void
  free(): void
}

/** The hits of all queries, in the order of the queries. `counts` has the number of hits of each query. */
export class Hits {
  readonly wire: Uint8Array
  readonly scores: Float32Array
  readonly counts: Uint32Array
  readonly vectors: Float32Array | undefined
  free(): void
}
/** A search that has begun. */
export class Search {
  /**
   * Leaves the first `dealt` chunks to search workers, except every `parts`th, which this search keeps. Returns true if
   * the workers' results must be merged, false if this search goes on alone.
   */
  split(store: Store, parts: number, dealt: number): boolean
  /**
   * Returns which rows of a part to search, one bit for each row, sixteen bits in each number. The bits follow the
   * part's own numbers of rows. Undefined: all rows.
   */
  rowsFor(store: Store, part: number): Uint16Array | undefined
  /** Searches the rows that were not left to search workers. Returns false if rows are wanted. */
  own(store: Store, rows: Rows): boolean
  merge(store: Store, query: number, part: number, rows: Uint32Array, scores: Float32Array): void
  /** `vectors`: 1 with vectors, 0 without. With 2, `wire` has only the numbers of the documents, four bytes each. */
  advance(store: Store, rows: Rows, vectors: number): Hits | undefined
  /**
   * With `set`: limits the search to these documents, one bit for each, the lowest bit first. Call it before the first
   * step. Without `set`: returns which documents in the collections of the search match its filter, one bit for each
   * document, sixteen bits in each number. Returns undefined if the search has no filter.
   */
  among(store: Store, set?: Uint8Array): Uint16Array | undefined
  free(): void
}
/** A filter that is evaluated in slices. */
export class Matching {
  /** Evaluates a slice. Returns true once it is known which documents match: calls with this filter are then quick. */
  step(store: Store): boolean
  free(): void
}
export class FoundRecords {
  readonly wire: Uint8Array
  readonly vectors: Float32Array
  free(): void
}
/**
 * A page of `count` records. `more` is false if the collection has no further ones. To go on, ask for the records after
 * the last id of the page.
 */
export class RecordPage {
  readonly wire: Uint8Array
  readonly vectors: Float32Array
  readonly count: number
  readonly more: boolean
  free(): void
}

/**
 * A store. To write, call `stage*` any number of times, then `write() -> [await host.commit()] -> apply()`. A `stage*`
 * that throws stages nothing, and what was staged before stays. `write` does one of three things:
 * - strict, not transactional: it makes the group durable
 * - transactional: it passes the group to sinks that keep it until `commit`
 * - relaxed: it appends the rows and holds the log's run back until `flush`
 * If `write` throws, either it has rolled back (the store goes on, nothing is staged) or the store is FAILED; `failed`
 * says which. If the host's commit certainly did not happen, call `rollback()`. If that is unknown, call `fail(why)`.
 * Searches and reads between a stage and `apply` see the state before.
 */
export class Store {
  readonly dimension: number
  readonly readOnly: boolean
  readonly failed: boolean
  /**
   * JSON text of { logBytes, logFrames, dataBytes, created, orphanedRows }. The first three are what the open cut from
   * the files. `created` says that this open made the store.
   */
  readonly recovery: string

  stageCreate(collection: string): boolean // true: it did not exist
  stageDrop(collection: string): boolean // true: it existed
  stageSetMeta(collection: string, meta: Uint8Array): void
  /**
   * Returns `count`. With `changes`, the batch has changes of attributes and there are no vectors: NOT_FOUND, with
   * nothing staged, if one of the records is not there.
   */
  stageUpsert(
    collection: string,
    count: number,
    batch: Uint8Array,
    vectors: Float32Array,
    before: number,
    changes: boolean,
  ): number
  stageDelete(collection: string, count: number, ids: Uint8Array): number
  stageDeleteWhere(collection: string, filter: Uint8Array): number
  /**
   * Returns the result of a write of this sender (sixteen letters), if the write was made or is staged. A negative
   * result is one of `NoReceipt`. After `Unmade` or `Forgotten` the core takes the mutation that is staged next for
   * this write; call `stageReceipt` once it is staged. `back` is how far below this number the sender still waits for
   * answers. For number 0, returns the highest number that was made, or 0 if none is known.
   */
  receipt(sender: string, number: number, back: number): number | NoReceipt
  stageReceipt(result: number): void
  /** Bytes staged so far, of rows and frames. End the group when this is large. 0: there is nothing to write. */
  readonly stagedBytes: number
  /**
   * Returns the encoded ids of the records that the staged mutations upsert, update or delete: one for each record that
   * a mutation counts. They are known until `apply`.
   */
  stagedIds(): Uint8Array
  /** Drops everything that is staged and not yet written. If a slice of a big upsert fails, the others are dropped. */
  unstage(): void
  write(): void
  apply(): void
  rollback(): void
  fail(why: string): void
  /** Relaxed: flushes the data, then writes and publishes the runs held back. Strict: flushes both sinks. */
  flush(): void
  /** Relaxed: the bytes of the log that are held back. */
  readonly heldBytes: number

  /**
   * Returns undefined if the filter takes little time in the collection (undefined: in all), or if it is known which
   * documents match. `byRow`: the filter is for something other than a search.
   */
  matching(collection: string | undefined, filter: Uint8Array, byRow: boolean): Matching | undefined
  hasCollection(collection: string): boolean
  collections(): Uint8Array
  getMeta(collection: string): Uint8Array // meta
  /** Counts the documents of one collection, or of all (undefined). */
  count(collection: string | undefined, filter: Uint8Array): number
  get(collection: string, count: number, ids: Uint8Array, rows: Rows): FoundRecords | undefined
  /** Returns at most `limit` records whose id is after `after`, in the order of the UTF-8 bytes of their ids. */
  records(
    collection: string,
    filter: Uint8Array,
    after: string | undefined,
    limit: number,
    rows: Rows,
  ): RecordPage | undefined
  /**
   * Begins a search for any number of queries. `topK` may be any number from 0 up. NaN means no `minScore`.
   * `collections` is how many `names` there are; undefined means all collections.
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
   * Answers one of three questions. `src/ts/text/store-documents.ts` has a function for each of them.
   *
   * Changes, without `docs` and `keys`: the numbers of the documents that were written or deleted since the last call,
   * four bytes each. A number may occur several times. In front of them is 1 if any document may have changed, as at
   * the first call, and otherwise 0. After a 1, the numbers of all documents follow. The highest bit of a number is set
   * if the document existed before the write and its texts are as they were. A document keeps its number as long as it
   * exists, through replacements and compactions. After that another document may get the number.
   *
   * Documents, with `docs`: for each of them u8 0 if it does not exist, or u8 1, str collection, str id, attrs. `keys`,
   * packed like ids, names the attributes to return. Undefined: all.
   *
   * Rows, without `docs` and with any `keys`: the length of the log (u64), a checksum of its operations (u32), and the
   * row of each document in the order of their numbers (u32, 2^32 - 1 if there is no such document). Nothing is
   * returned while a compaction changes the rows.
   */
  documents(docs?: Uint32Array, keys?: Uint8Array): Uint8Array
  /**
   * Returns the JSON text of Footprint { rows, deadRows, codedRows, dimension, vectorBytes, docCount, memoryBytes,
   * diskBytes, readableBy }
   */
  footprint(): string
  /** Returns a copy of rows from `from` on: as many as lie in one piece of memory (about 1 MiB), none at the end. */
  rows(from: number): Float32Array
  /** Makes codes for a few milliseconds. Needs the part of the codes (see parts.ts). */
  codeStep(rows: Rows): Step
  /** How many rows a chunk has. Rows are given to search workers by chunks. */
  readonly chunkRows: number
  copyRows(from: number, to: Float32Array): void
  /** How many rows have no codes yet: 0 if there are too few rows for codes. */
  readonly uncoded: number
  /**
   * The share of dead rows in all rows, for automatic compaction. An update of attributes counts as a dead row.
   * Native's rule is to compact when the share is above the threshold. 0 if automatic compaction must not run, because
   * the open cut something or found rows without a name.
   */
  readonly deadRatio: number

  /**
   * Compaction, in this order:
   * 1. beginCompaction
   * 2. compactStep() until it returns Step.Done
   * 3. finishCompaction(): then both new sinks are complete and flushed
   * 4. await host.promote(files)
   * 5. adoptCompaction()
   * 6. adoptStep() until it returns true
   * Nothing may be staged meanwhile: writes wait. Reads go on between the steps. Before promote, abandonCompaction()
   * leaves the store as it was, and the caller removes the new pair. If promote fails and it is unknown whether it took
   * effect, call fail().
   */
  beginCompaction(data: CoreHandle, log: CoreHandle, lendViews: boolean): void
  compactStep(rows: Rows): Step
  finishCompaction(): void
  abandonCompaction(): void
  adoptCompaction(): void
  adoptStep(): boolean

  /** Frees the store. Neither flushes nor closes the sinks. */
  free(): void
}

export class Segment {
  /** Opens a segment. The sink must have `read`. An empty sink becomes a new segment. A partial last row is cut. */
  static open(handle: CoreHandle, dimension: number, lendViews: boolean): Segment
  static inMemory(dimension: number): Segment
  readonly dimension: number
  readonly rowCount: number
  /** Appends all rows or none, as they are (not normalized). Returns the index of the first new row. */
  append(vectors: Float32Array): number
  row(index: number): Float32Array
  /** Searches with the normalized query and the rows as they are. Rows with equal scores come in ascending order. */
  search(query: Float32Array, topK: number, minScore: number): SegmentHits
  /** Makes codes for a few milliseconds. Returns true if nothing is left to do. */
  codeStep(): boolean
  /**
   * Searches for several queries in the rows of `only`, or in all rows. With `ties`, also returns further rows that
   * have the same score as the last one.
   */
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
/** Adds what another part exports to a core that is a first part (scripts/bundle.mjs). */
export function addPart(part: WebAssembly.Module): Promise<void>
export function initSync(options: { module: WebAssembly.Module | BufferSource }): InitOutput
