/// <reference path="./platform.d.ts" />
import type {
  Attrs,
  AttrsOf,
  ColumnarBatch,
  Filter,
  Hit,
  Hits,
  ListOptions,
  Listed,
  QuestionOptions,
  RecordChange,
  RecordInput,
  SearchOptions,
  SimilarOptions,
  TextConfig,
  TextQuery,
  TextSettings,
  Vector,
  VectorQuery,
  VectorRecord,
  VectorSearchOptions,
} from './index.js'

export { NidusError } from './segment.js'

/** The binding of a Durable Object namespace. */
export interface ShardedNamespace {
  idFromName(name: string): any
  get(id: any): any
}

/** The two bindings that a sharded store needs. */
export interface ShardedEnv {
  /** The namespace of your class that extends {@link NidusRouter}. */
  router: ShardedNamespace
  /** The namespace of your class that extends {@link NidusShard}. */
  shards: ShardedNamespace
}

export interface ShardedOptions {
  /** The number of numbers in a vector. */
  dimension: number
  /** The number of shards of a new store. Default: 4. A store that exists keeps its own number: `grow` changes it. */
  shards?: number
  /** The longest wait for an answer of a shard or a router, in milliseconds. Default: 30,000. */
  timeout?: number
}

export interface ShardedCallOptions {
  /** Aborts the call: it rejects with `ABORTED` at once. A shard may still do what was sent to it. */
  signal?: AbortSignal
  /** The timeout of this call, in milliseconds. Default: {@link ShardedOptions.timeout} of the store. */
  timeout?: number
}

/** The options of a search in a sharded store. */
export type ShardedSearchOptions<A extends AttrsOf<A> = Attrs> = SearchOptions<A> & ShardedCallOptions
/** The options of `search` for a vector in a sharded store. */
export type ShardedVectorOptions<A extends AttrsOf<A> = Attrs> = VectorSearchOptions<A> & ShardedCallOptions
/** The options of `search` for words in a sharded store. */
export type ShardedQuestionOptions<A extends AttrsOf<A> = Attrs> = QuestionOptions<A> & ShardedCallOptions
/** The options of `similar` in a sharded store. */
export type ShardedSimilarOptions<A extends AttrsOf<A> = Attrs> = SimilarOptions<A> & ShardedCallOptions
/** The options of `list` in a sharded store. */
export type ShardedListOptions<A extends AttrsOf<A> = Attrs> = ListOptions<A> & ShardedCallOptions

/**
 * A store whose records are spread over many Durable Objects (shards) by their ids. A search asks all shards at once
 * and is as exact as a search in one store.
 *
 * ```js
 * const bindings = { router: env.NIDUS_ROUTER, shards: env.NIDUS_SHARD }
 * const db = new ShardedNidus(bindings, 'docs', { dimension: 384, shards: 16 })
 * await db.upsert('pages', [{ id: 'a', vector, attrs: { title: 'At the sea' } }])
 * const hits = await db.search(vector, { topK: 5 })
 * ```
 *
 * Its methods take, return and refuse the same things as the methods of `Nidus` with the same names, with these
 * differences:
 *
 * - Every call takes a `timeout` and a `signal`, because it goes over a network. An error that is about some of the
 *   shards has their numbers in `shards`.
 * - A call with several records makes at least one write in each shard to which they belong. These writes are not one
 *   atomic batch. If such a call fails with `SHARD_FAILED` or `BUSY`, some of the records may be written. It is safe to
 *   make the same call again.
 * - `upsert` has no `transfer` and no `onProgress`: the records are copied, since each goes to its own shard.
 * - A collection exists once a record is written to it, in the shards that have such a record, or once `setText` names
 *   it. So there is no `createCollection` or `dropCollection`, and no metadata. An empty batch creates nothing.
 * - `searchMany` and `searchAvailable` search for vectors alone, and take no options that shape the answer.
 * - There is no `open` and no `close`: nothing is open between two calls. Make one for each request, or keep it. Every
 *   write is durable when it is acknowledged, so there is no `flush`.
 * - `stats` takes the place of `footprint`: it has the figures of each shard. There is no `records`, `export` or
 *   `import`.
 */
export class ShardedNidus<A extends AttrsOf<A> = Attrs> {
  constructor(env: ShardedEnv, name: string, options: ShardedOptions)
  /** The name of the store. */
  readonly name: string
  /** The number of numbers in a vector. */
  readonly dimension: number
  /**
   * Stores records, replacing those of the same id. Returns the number of records in the batch, once every shard has
   * its records on its disk. If an id occurs twice in a batch, the last record counts. A record may have at most 31
   * MiB.
   */
  upsert(
    collection: string,
    batch: RecordInput<A> | RecordInput<A>[] | ColumnarBatch<A>,
    options?: ShardedCallOptions,
  ): Promise<number>
  /**
   * Changes attributes of records, and leaves their vectors and all other attributes as they are. Returns the number of
   * changes, once every shard has its changes on its disk. If one of the records does not exist, the call rejects with
   * `NOT_FOUND`: the shard that should have it changes nothing, and other shards may have made their changes.
   */
  update(
    collection: string,
    changes: RecordChange<A> | RecordChange<A>[],
    options?: ShardedCallOptions,
  ): Promise<number>
  /**
   * Deletes the records with these ids. Returns the number of records that were deleted. It is exact even while the
   * store grows.
   */
  delete(collection: string, ids: string | string[], options?: ShardedCallOptions): Promise<number>
  /**
   * Deletes the records that match a filter. Returns the number of records that were deleted. It is exact even while
   * the store grows.
   */
  deleteWhere(collection: string, filter: Filter<A>, options?: ShardedCallOptions): Promise<number>
  /** Returns the record with this id, or `undefined` if there is none. */
  get(collection: string, id: string, options?: ShardedCallOptions): Promise<VectorRecord<A> | undefined>
  /** Returns the records with these ids, in the order of the ids. An id without a record gives `undefined`. */
  get(collection: string, ids: string[], options?: ShardedCallOptions): Promise<(VectorRecord<A> | undefined)[]>
  /**
   * Finds the records of all shards that are most similar to a query, or that have the words of a text, or both. Scores
   * and order are those of one store. Rejects with `SHARD_FAILED` or `BUSY` if a shard does not answer: the error's
   * `shards` says which.
   *
   * A search for words asks all shards twice: first for counts of the words, and then for hits, whose scores depend on
   * the sums of these counts. A write in between may be in the hits and not in the counts. While the store grows, a
   * record that is being moved may be counted twice.
   *
   * `fusion: 'rrf'` fetches the names and scores of all records that match the filter, at most 100,000. Facets count
   * keys with at most 65,536 values in each shard, and while the store grows they wait for a moment at which no record
   * is being moved, as `count` does.
   */
  search(query: Vector | VectorQuery, options?: ShardedVectorOptions<A>): Promise<Hits<Hit<A>>>
  /** Finds the best records for words, or for words and a vector. */
  search(query: TextQuery, options?: ShardedQuestionOptions<A>): Promise<Hits<Hit<A>>>
  /** Finds the records that are most similar to a stored record, which is itself left out. */
  similar(collection: string, id: string, options?: ShardedSimilarOptions<A>): Promise<Hits<Hit<A>>>
  /** Returns the records of a collection in the order that was asked for. The whole list is held in memory. */
  list(collection: string, options?: ShardedListOptions<A>): Promise<Listed<A>>
  /**
   * Sets the attributes of a collection in which `search({ text })` finds words. `null` means none. Resolves once all
   * shards have read their records for the new settings. Shards that `grow` adds later get the same settings. If the
   * call is interrupted, the change goes on by itself. Until all shards have the settings, a search for words waits. It
   * rejects with `BUSY` if that takes long.
   */
  setText(collection: string, text: TextConfig | null, options?: ShardedCallOptions): Promise<void>
  /** Returns the attributes that `setText` has set, with their weights. Returns `undefined` if there are none. */
  getText(collection: string, options?: ShardedCallOptions): Promise<TextSettings | undefined>
  /** Searches for several queries with the same options. Returns one list of hits for each query, in their order. */
  searchMany(queries: Vector[], options?: ShardedSearchOptions<A>): Promise<Hit<A>[][]>
  /**
   * Finds the most similar records of the shards that answer in time. `missing` lists the shards that do not answer:
   * they may hold better hits.
   */
  searchAvailable(query: Vector, options?: ShardedSearchOptions<A>): Promise<{ hits: Hit<A>[]; missing: number[] }>
  /**
   * Counts the records of one collection, or of all collections if none is given. With `filter`, each shard counts only
   * its records that match.
   *
   * The number is exact even while the store grows: `count` waits for a moment at which no record is being moved. If
   * there is no such moment, it rejects with `BUSY`, or with `SHARD_FAILED` if the records wait for a shard that does
   * not answer.
   */
  count(collection?: string, filter?: Filter<A>, options?: ShardedCallOptions): Promise<number>
  /** Returns the names of the collections of all shards, in UTF-8 order. */
  collections(options?: ShardedCallOptions): Promise<string[]>
  /** Removes dead rows in every shard by writing its files anew. */
  compact(options?: ShardedCallOptions): Promise<void>
  /**
   * Returns the number of shards, the number that the store is growing to (undefined if it is not growing), and figures
   * of each shard.
   */
  stats(
    options?: ShardedCallOptions,
  ): Promise<{ shards: number; growingTo: number | undefined; each: Record<string, unknown>[] }>
  /**
   * Adds shards until the store has `shards` of them. The store may be read and written meanwhile: searches find every
   * record while it moves. Resolves once all records have moved. If the growth is interrupted, it goes on by itself.
   * Rejects with `BUSY` while the store grows to another number of shards.
   */
  grow(shards: number, options?: ShardedCallOptions): Promise<void>
}

/**
 * The Durable Object of one shard. Extend it with a class of your own. If its binding is not called `NIDUS_SHARD`, your
 * class needs a getter: `get shards() { return this.env.MY_SHARDS }`.
 */
export class NidusShard {
  constructor(ctx: any, env: any)
  protected readonly env: any
  /** The namespace of the shards. Default: the binding `NIDUS_SHARD`. */
  get shards(): ShardedNamespace
  /** Runs one call of a {@link ShardedNidus}. Not for your own use. */
  call(whom: any, method: any, args: unknown[]): Promise<any>
}

/**
 * The Durable Object that keeps a store's number of shards. Extend it with a class of your own. If the shards' binding
 * is not called `NIDUS_SHARD`, your class needs the same getter as {@link NidusShard}.
 */
export class NidusRouter {
  constructor(ctx: any, env: any)
  protected readonly env: any
  /** The namespace of the shards. Default: the binding `NIDUS_SHARD`. */
  get shards(): ShardedNamespace
  /** Returns how many shards a store has. For {@link ShardedNidus}, not for your own use. */
  layout(name: string, dimension: number, shards: number): Promise<any>
  /** Adds shards to a store. For {@link ShardedNidus}, not for your own use. */
  grow(name: string, shards: number, timeout?: number): Promise<any>
  /** Returns or changes the text settings. For {@link ShardedNidus}, not for your own use. */
  texts(name: string, timeout?: number, change?: any): Promise<any>
  /** Continues work that was interrupted. The runtime calls it. */
  alarm(): Promise<void>
}
