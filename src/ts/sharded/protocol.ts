import type { Attrs, Filter, Hit, NidusErrorCode } from '../types/index.js'
import type { Layout } from './layout.js'

/** The form in which a record is sent. */
export interface Sent {
  id: string
  vector: Float32Array
  attrs?: Attrs
}
export interface Wanted {
  collections?: string[]
  topK: number
  minScore?: number
  filter?: Filter
  withVectors?: boolean
}

/** The calls of a shard and their answers. */
export interface Calls {
  upsert(collection: string, records: Sent[]): number
  delete(collection: string, ids: string[]): number
  deleteWhere(collection: string, filter: Filter): number
  /** Answers for the first ids: as many as fit into one answer. */
  get(collection: string, ids: string[]): (Sent | null)[]
  search(queries: Float32Array[], wanted: Wanted): Hit[][]
  /** `moved` is odd if records may be in two shards. `waits` lists the shards that this one waits for. */
  count(collection?: string, filter?: Filter): { count: number; moved: number; waits?: number[] }
  stats(): Record<string, unknown>
  collections(): string[]
  compact(): null
  /** Takes the layout that comes with the call. */
  layout(): null
  /** Moves some of the records that belong elsewhere. Returns how many there were. */
  move(): number
  /**
   * Takes records of another shard: `put` writes them here, `adopt` writes only those that are missing here, and
   * `remove` deletes them. Without any records, it only makes sure that everything sent before is refused from now on.
   */
  put(collection: string, records: Sent[]): number
  adopt(collection: string, records: Sent[]): number
  remove(collection: string, ids: string[]): number
  /** Works like `get`, on this shard alone. */
  find(collection: string, ids: string[]): (Sent | null)[]
  has(collection: string, ids: string[]): boolean[]
}
export type Call = keyof Calls

/**
 * Comes with every call: the shard that it is for and the layout. If another shard calls, also which of its lives that
 * is and the number of the message.
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
  /** The caller waits so many milliseconds for the answer. */
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

/** The part of Cloudflare's API that is used. */
export interface ShardStub {
  call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>>
}
export interface RouterStub {
  layout(name: string, dimension: number, shards: number): Promise<Answer<Layout>>
  /** Waits for a while, and then returns the layout as it is. */
  grow(name: string, shards: number, timeout: number): Promise<Answer<Layout>>
}
export interface Namespace<Stub> {
  idFromName(name: string): unknown
  get(id: unknown): Stub
}
export const shardAt = (shards: Namespace<ShardStub>, name: string, index: number) =>
  shards.get(shards.idFromName(`${name}/${index}`))
