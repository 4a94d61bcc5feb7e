import type {
  Attrs,
  AttrsOf,
  ColumnarBatch,
  Filter,
  Hit,
  Hits,
  Listed,
  Query,
  RecordChange,
  RecordInput,
  TextConfig,
  TextSettings,
  Vector,
  VectorRecord,
} from '../types/index.js'
import type {
  ShardedCallOptions,
  ShardedEnv,
  ShardedListOptions,
  ShardedOptions,
  ShardedQuestionOptions,
  ShardedSearchOptions,
  ShardedSimilarOptions,
} from '../types/sharded.js'
import { Client } from './client.js'

/**
 * This is no private field, because a proxy around a store (Vue's, MobX's) has no private fields. Its value is a
 * function, which such proxies return as it is.
 */
const CLIENT = Symbol()

/**
 * A store that is spread over many Durable Objects. It remembers only how many there are. Make one for each request, or
 * keep it.
 */
export class ShardedNidus<A extends AttrsOf<A> = Attrs> {
  readonly name: string
  readonly dimension: number
  /** @internal */
  declare readonly [CLIENT]: () => Client<A>

  constructor(env: ShardedEnv, name: string, options: ShardedOptions) {
    const client = new Client<A>(env, name, options)
    this.name = name
    this.dimension = client.dimension
    Object.defineProperty(this, CLIENT, { value: () => client })
  }

  async upsert(
    collection: string,
    batch: RecordInput<A> | RecordInput<A>[] | ColumnarBatch<A>,
    options?: ShardedCallOptions,
  ): Promise<number> {
    return this[CLIENT]().upsert(collection, batch, options)
  }

  async update(
    collection: string,
    changes: RecordChange<A> | RecordChange<A>[],
    options?: ShardedCallOptions,
  ): Promise<number> {
    return this[CLIENT]().update(collection, changes, options)
  }

  async delete(collection: string, ids: string | string[], options?: ShardedCallOptions): Promise<number> {
    return this[CLIENT]().delete(collection, ids, options)
  }

  async deleteWhere(collection: string, filter: Filter<A>, options?: ShardedCallOptions): Promise<number> {
    return this[CLIENT]().deleteWhere(collection, filter, options)
  }

  get(collection: string, id: string, options?: ShardedCallOptions): Promise<VectorRecord<A> | undefined>
  get(collection: string, ids: string[], options?: ShardedCallOptions): Promise<(VectorRecord<A> | undefined)[]>
  async get(
    collection: string,
    ids: string | string[],
    options?: ShardedCallOptions,
  ): Promise<VectorRecord<A> | undefined | (VectorRecord<A> | undefined)[]> {
    return this[CLIENT]().get(collection, ids as string[], options)
  }

  async search(query: Vector | Query, options?: ShardedQuestionOptions<A>): Promise<Hits<Hit<A>>> {
    return this[CLIENT]().search(query, options)
  }

  async similar(collection: string, id: string, options?: ShardedSimilarOptions<A>): Promise<Hits<Hit<A>>> {
    return this[CLIENT]().similar(collection, id, options)
  }

  async list(collection: string, options?: ShardedListOptions<A>): Promise<Listed<A>> {
    return this[CLIENT]().list(collection, options)
  }

  async setText(collection: string, text: TextConfig | null, options?: ShardedCallOptions): Promise<void> {
    return this[CLIENT]().setText(collection, text, options)
  }

  async getText(collection: string, options?: ShardedCallOptions): Promise<TextSettings | undefined> {
    return this[CLIENT]().getText(collection, options)
  }

  async searchMany(queries: Vector[], options?: ShardedSearchOptions<A>): Promise<Hit<A>[][]> {
    return this[CLIENT]().searchMany(queries, options)
  }

  async searchAvailable(
    query: Vector,
    options?: ShardedSearchOptions<A>,
  ): Promise<{ hits: Hit<A>[]; missing: number[] }> {
    return this[CLIENT]().searchAvailable(query, options)
  }

  async count(collection?: string, filter?: Filter<A>, options?: ShardedCallOptions): Promise<number> {
    return this[CLIENT]().count(collection, filter, options)
  }

  async collections(options?: ShardedCallOptions): Promise<string[]> {
    return this[CLIENT]().collections(options)
  }

  async compact(options?: ShardedCallOptions): Promise<void> {
    return this[CLIENT]().compact(options)
  }

  async stats(
    options?: ShardedCallOptions,
  ): Promise<{ shards: number; growingTo: number | undefined; each: Record<string, unknown>[] }> {
    return this[CLIENT]().stats(options)
  }

  async grow(shards: number, options?: ShardedCallOptions): Promise<void> {
    return this[CLIENT]().grow(shards, options)
  }
}
