import type { Attrs, AttrValue, Filter, Hit, NidusErrorCode, SearchOptions, TextSettings } from '../types/index.js'
import type { OwnStatistics, QueryArgs, QueryHits } from '../contract/query.js'
import type { Settings } from './texts.js'
import type { Layout } from './layout.js'

/** The form in which a record is sent. */
export interface Sent {
  id: string
  vector: Float32Array
  attrs?: Attrs
}
/** The form in which a change of attributes is sent. A key whose value is undefined is removed. */
export interface Changed {
  id: string
  attrs: { [key: string]: AttrValue | undefined }
}
/** Every option of a search but its signal. */
export type Wanted = { [K in Exclude<keyof SearchOptions, 'signal'>]: SearchOptions[K] | undefined }

/** Says whether records may be in two shards, and which shards this one waits for. */
export interface Still {
  moved: number
  waits?: number[]
}
/** The answer to a question. */
export interface Found extends Partial<Still> {
  hits: Hit[]
  facets?: NonNullable<QueryHits['facets']>
  explain?: NonNullable<QueryHits['explain']>
}

/** The calls of a shard and their answers. */
export interface Calls {
  upsert(collection: string, records: Sent[]): number
  /** Fails if one of the records does not exist, and changes none then. */
  update(collection: string, changes: Changed[]): number
  delete(collection: string, ids: string[]): number
  deleteWhere(collection: string, filter: Filter): number
  /** Answers for the first ids: as many as fit into one answer. */
  get(collection: string, ids: string[]): (Sent | null)[]
  search(queries: Float32Array[], wanted: Wanted): Hit[][]
  /** Counts what the scores of a question's words depend on. `moved` as in `count`. */
  statistics(args: QueryArgs): Still & { statistics: OwnStatistics }
  /** Searches for words, or gives the answer a shape. `moved` as in `count`. */
  query(args: QueryArgs): Found
  /** `moved` is odd if records may be in two shards. `waits` lists the shards that this one waits for. */
  count(collection?: string, filter?: Filter): Still & { count: number }
  stats(): Record<string, unknown>
  collections(): string[]
  compact(): null
  /** Takes the layout that comes with the call. */
  layout(): null
  /**
   * Takes the settings of all collections' texts. Returns 0 once they are in use, and 1 if the shard is still at work.
   * The settings have a version: a shard ignores settings that are older than its own.
   */
  texts(version: number, settings: Settings): number
  /** Moves some of the records that belong elsewhere. Returns how many there were. */
  move(): number
  /**
   * Takes records of another shard: `put` writes them here, `adopt` writes only those that are missing here, `remove`
   * deletes them, and `change` changes their attributes. A call without records only makes the shard refuse everything
   * that was sent before.
   */
  put(collection: string, records: Sent[]): number
  adopt(collection: string, records: Sent[]): number
  remove(collection: string, ids: string[]): number
  change(collection: string, changes: Changed[]): number
  /** Works like `get`, on this shard alone. */
  find(collection: string, ids: string[]): (Sent | null)[]
  has(collection: string, ids: string[]): boolean[]
}
export type Call = keyof Calls

/**
 * Comes with every call: the shard that the call is for, and the layout. If another shard calls, `sender` also says in
 * which of its lives it made the call, and has the number of the message.
 */
export interface Whom {
  name: string
  index: number
  layout: Layout
  sender?: { index: number; epoch: number; turn: number }
  /**
   * If a client calls: its id, the number of the call, and the number up to which it has given up its calls to this
   * shard.
   */
  client?: { id: string; turn: number; fence: number }
  /** The number of milliseconds that the caller waits for the answer. */
  timeout?: number
  /** The caller accepts an answer in parts. */
  parts?: true
}
/** `more` returns the next part, or null after the last one. */
export type Answer<T> = { ok: T; more?: () => Promise<T | null> } | { stale: Layout; done?: number } | { error: Told }
interface Told {
  code: NidusErrorCode
  message: string
  shards?: number[]
}

/** New settings of a collection's texts. Null: none. */
export interface TextChange {
  collection: string
  fields: TextSettings | null
}

/** The part of Cloudflare's API that is used. */
export interface ShardStub {
  call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>>
}
export interface Namespace<Stub> {
  idFromName(name: string): unknown
  get(id: unknown): Stub
}
export const shardAt = (shards: Namespace<ShardStub>, name: string, index: number) =>
  shards.get(shards.idFromName(`${name}/${index}`))
