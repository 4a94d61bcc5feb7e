import type { Attrs, AttrsOf, Filter, Hit, NidusErrorCode, RecordInput, SearchOptions, VectorRecord } from './index.js'

/** A Durable Object namespace, as it is bound. */
export interface ShardedNamespace {
  idFromName(name: string): any
  get(id: any): any
}

export interface ShardedEnv {
  /** Of the class that extends {@link NidusRouter}. */
  router: ShardedNamespace
  /** Of the class that extends {@link NidusShard}. */
  shards: ShardedNamespace
}

export interface ShardedOptions {
  /** Numbers of a vector. */
  dimension: number
  /** Shards that a new store begins with (default 4); one that is there has those that it has. */
  shards?: number
  /** Milliseconds for which a shard, or the router, may keep silent before it counts as one that does not answer (default 30,000). */
  timeout?: number
}

export interface ShardedCallOptions {
  /** Ends the wait at once, with `ABORTED`; what was sent may still be done. */
  signal?: AbortSignal
  /** Of this call: see {@link ShardedOptions.timeout}. */
  timeout?: number
}

/** Every error of a sharded store. Beside the codes of a store: `BUSY` (too much is under way: come again) and `SHARD_FAILED` (objects that did not answer, or not in time). `shards`: which they were. */
export class ShardedError extends Error {
  constructor(code: NidusErrorCode | 'BUSY' | 'SHARD_FAILED', message: string, shards?: number[], options?: { cause?: unknown })
  readonly code: NidusErrorCode | 'BUSY' | 'SHARD_FAILED'
  readonly shards: number[]
}

/**
 * A store that is spread over many Durable Objects by its records' ids; searched in all of them at once, exact as one store is.
 *
 * ```js
 * const db = new ShardedNidus({ router: env.NIDUS_ROUTER, shards: env.NIDUS_SHARD }, 'docs', { dimension: 384, shards: 16 })
 * await db.upsert('pages', [{ id: 'a', vector, attrs: { title: 'At the sea' } }])
 * const hits = await db.search(vector, { topK: 5 })
 * ```
 *
 * A call with several records is one write for each shard: if it fails, some of them may be written (`SHARD_FAILED`, `BUSY`); made again, it ends the same.
 */
export class ShardedNidus<A extends AttrsOf<A> = Attrs> {
  constructor(env: ShardedEnv, name: string, options: ShardedOptions)
  readonly name: string
  readonly dimension: number
  /** Resolves when each shard has them on its disk. A record has at most 31 MiB. */
  upsert(collection: string, records: Iterable<RecordInput<A>>, options?: ShardedCallOptions): Promise<void>
  /** How many there were, exactly, also while the store grows. */
  delete(collection: string, ids: Iterable<string>, options?: ShardedCallOptions): Promise<number>
  deleteWhere(collection: string, filter: Filter<A>, options?: ShardedCallOptions): Promise<number>
  get(collection: string, ids: Iterable<string>, options?: ShardedCallOptions): Promise<(VectorRecord<A> | undefined)[]>
  /** The best of all shards, with scores and order as in one store. `SHARD_FAILED` or `BUSY`, naming the shards, if one does not answer. */
  search(query: ArrayLike<number>, options?: SearchOptions<A> & ShardedCallOptions): Promise<Hit<A>[]>
  searchMany(queries: ArrayLike<number>[], options?: SearchOptions<A> & ShardedCallOptions): Promise<Hit<A>[][]>
  /** The best of the shards that answer in time; `missing` are those that do not: if there are any, better hits may lie there. */
  searchAvailable(query: ArrayLike<number>, options?: SearchOptions<A> & ShardedCallOptions): Promise<{ hits: Hit<A>[]; missing: number[] }>
  /** While the store grows it waits for a moment at which nothing moves; if none comes, `BUSY`, or `SHARD_FAILED` naming the shard that records wait for. */
  count(options?: ShardedCallOptions): Promise<number>
  collections(options?: ShardedCallOptions): Promise<string[]>
  compact(options?: ShardedCallOptions): Promise<void>
  stats(options?: ShardedCallOptions): Promise<{ shards: number; growingTo: number | undefined; each: Record<string, unknown>[] }>
  /**
   * Gives the store more shards, while it is read and written. Resolves when all has moved; what is cut off goes on by itself. Each record is in one place before and after, and found in between.
   * Rejects if the store does not have so many then: `BUSY` while it grows to another number.
   */
  grow(shards: number, options?: ShardedCallOptions): Promise<void>
}

/** A shard. Your class extends it and is bound as `NIDUS_SHARD`, or says where it is: `get shards() { return this.env.MY_SHARDS }`. */
export class NidusShard {
  constructor(ctx: any, env: any)
  protected readonly env: any
  get shards(): ShardedNamespace
  call(whom: any, method: any, args: unknown[]): Promise<any>
}

/** Knows how many shards a store has. Your class extends it; it has to be given the shards' namespace like {@link NidusShard}. */
export class NidusRouter {
  constructor(ctx: any, env: any)
  protected readonly env: any
  get shards(): ShardedNamespace
  layout(name: string, dimension: number, shards: number): Promise<any>
  grow(name: string, shards: number, timeout?: number): Promise<any>
  alarm(): Promise<void>
}
