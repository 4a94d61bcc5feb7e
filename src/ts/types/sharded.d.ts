import type { Attrs, AttrsOf, Filter, Hit, NidusErrorCode, RecordInput, SearchOptions, VectorRecord } from './index.js'

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
  /**
   * Milliseconds. A shard or a router that is silent for so long counts as one that does not answer. Default: 30,000.
   */
  timeout?: number
}

export interface ShardedCallOptions {
  /** Aborts the call: it rejects with `ABORTED` at once. A shard may still do what was sent to it. */
  signal?: AbortSignal
  /** The timeout of this call, in milliseconds. Default: {@link ShardedOptions.timeout} of the store. */
  timeout?: number
}

/**
 * The error that every call of a sharded store rejects with. It has two codes that other stores do not have. `BUSY`:
 * too many calls are under way, so try again later. `SHARD_FAILED`: an object did not answer, or not in time.
 */
export class ShardedError extends Error {
  constructor(
    code: NidusErrorCode | 'BUSY' | 'SHARD_FAILED',
    message: string,
    shards?: number[],
    options?: { cause?: unknown },
  )
  /** The kind of the error, for programs to decide by. */
  readonly code: NidusErrorCode | 'BUSY' | 'SHARD_FAILED'
  /** The numbers of the shards that the error is about. */
  readonly shards: number[]
}

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
 * A call with several records makes at least one write in each shard that they belong to. If such a call fails with
 * `SHARD_FAILED` or `BUSY`, some of the records may be written. It is safe to make the same call again.
 */
export class ShardedNidus<A extends AttrsOf<A> = Attrs> {
  constructor(env: ShardedEnv, name: string, options: ShardedOptions)
  /** The name of the store. */
  readonly name: string
  /** The number of numbers in a vector. */
  readonly dimension: number
  /**
   * Stores records, replacing those of the same id. Resolves once every shard has its records on its disk. A record may
   * have at most 31 MiB.
   */
  upsert(collection: string, records: Iterable<RecordInput<A>>, options?: ShardedCallOptions): Promise<void>
  /**
   * Deletes the records with these ids. Returns how many there were. The number is exact even while the store grows.
   */
  delete(collection: string, ids: Iterable<string>, options?: ShardedCallOptions): Promise<number>
  /** Deletes the records that match a filter. Returns how many there were. */
  deleteWhere(collection: string, filter: Filter<A>, options?: ShardedCallOptions): Promise<number>
  /** Returns the records with these ids, in the order of the ids. An id without a record gives `undefined`. */
  get(collection: string, ids: Iterable<string>, options?: ShardedCallOptions): Promise<(VectorRecord<A> | undefined)[]>
  /**
   * Finds the records of all shards that are most similar to a query. Scores and order are those of one store. Rejects
   * with `SHARD_FAILED` or `BUSY` if a shard does not answer: the error's `shards` says which.
   */
  search(query: ArrayLike<number>, options?: SearchOptions<A> & ShardedCallOptions): Promise<Hit<A>[]>
  /** Searches for several queries with the same options. Returns one list of hits for each query, in their order. */
  searchMany(queries: ArrayLike<number>[], options?: SearchOptions<A> & ShardedCallOptions): Promise<Hit<A>[][]>
  /**
   * Finds the most similar records of the shards that answer in time. `missing` lists the shards that do not answer:
   * they may hold better hits.
   */
  searchAvailable(
    query: ArrayLike<number>,
    options?: SearchOptions<A> & ShardedCallOptions,
  ): Promise<{ hits: Hit<A>[]; missing: number[] }>
  /**
   * Counts the records of all shards. While the store grows, waits for a moment at which no record is being moved. If
   * there is no such moment, rejects with `BUSY`, or with `SHARD_FAILED` if the records wait for a shard that does not
   * answer.
   */
  count(options?: ShardedCallOptions): Promise<number>
  /** Returns the names of the collections of all shards, sorted. */
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
  /** Goes on with a growth that was interrupted. The runtime calls it. */
  alarm(): Promise<void>
}
