import type { Changes, ChangesArgs } from './changes.js'
import type { Footprint } from '../types/index.js'
import type { QueryArgs, QueryHits } from './query.js'

/** How an open store runs a call. */
export const enum Kind {
  /** Run by the engine itself. */
  Control,
  /** Staged and committed, in the order of the calls. */
  Write,
  /** Answered from memory. */
  Read,
  /** A read of rows, which memory need not hold. */
  Rows,
  /** A read that the module of texts answers. */
  Text,
  /** A read that may wait for the next commit. */
  Feed,
}
interface Call<K extends Kind, Args extends object, Result> {
  kind: K
  args: Args
  result: Result
}
type None = Record<never, never>

/**
 * All calls of an open store. The engine, a store in a worker and a store shared by tabs take their types from this
 * table. All arguments and results can be cloned by the structured clone algorithm.
 *
 * To add a call: one line here, one in `KINDS`, and for a write or a read its step into the core in
 * engine/core-calls.ts. The compiler names the line that is missing.
 */
export interface Calls {
  /** Answers whether the collection is new. */
  createCollection: Call<Kind.Write, { collection: string }, boolean>
  /** Answers whether the collection was there. */
  dropCollection: Call<Kind.Write, { collection: string }, boolean>
  setMeta: Call<Kind.Write, { collection: string; meta: Uint8Array }, void>
  /** `batch` has the ids and attributes of `count` records, `vectors` their vectors. Answers their count. */
  upsert: Call<Kind.Write, { collection: string; count: number; batch: Uint8Array; vectors: Float32Array }, number>
  /** `batch` has the ids of `count` records and the changes to their attributes. Answers their count. */
  update: Call<Kind.Write, { collection: string; count: number; batch: Uint8Array }, number>
  /** Answers how many of the ids were there. */
  delete: Call<Kind.Write, { collection: string; count: number; ids: Uint8Array }, number>
  deleteWhere: Call<Kind.Write, { collection: string; filter: Uint8Array }, number>
  hasCollection: Call<Kind.Read, { collection: string }, boolean>
  collections: Call<Kind.Read, None, Uint8Array>
  getMeta: Call<Kind.Read, { collection: string }, Uint8Array>
  /** Counts in one collection, or in all if `collection` is undefined. */
  count: Call<Kind.Read, { collection: string | undefined; filter: Uint8Array }, number>
  footprint: Call<Kind.Read, None, Footprint>
  /** Answers the highest number of this sender's writes that are in the store, or 0. */
  newest: Call<Kind.Read, { sender: string }, number>
  get: Call<Kind.Rows, { collection: string; count: number; ids: Uint8Array }, FoundRecords>
  /** The records whose ids come after `after`, in the order of their ids. */
  records: Call<
    Kind.Rows,
    { collection: string; filter: Uint8Array; after: string | undefined; limit: number },
    RecordPage
  >
  /**
   * Searches for any number of queries, which follow each other in `queries`. `collections` is how many names `names`
   * has; undefined means all collections.
   */
  search: Call<Kind.Rows, SearchArgs, Hits>
  /** Searches for words, or for words and a vector, or shapes the answer as `search` does not. */
  query: Call<Kind.Text, QueryArgs, QueryHits>
  /**
   * Sets or, with null, removes the settings of a collection's texts: the caller's, in JSON. Answers once they are
   * durable and in use. Makes the collection if there is none.
   */
  setText: Call<Kind.Control, { collection: string; text: string }, void>
  /** Answers once there is something to tell. */
  changes: Call<Kind.Feed, ChangesArgs, Changes>
  flush: Call<Kind.Control, None, void>
  compact: Call<Kind.Control, None, void>
  exportBegin: Call<Kind.Control, None, Exported>
  /** Answers at least one byte, and perhaps fewer than `length`. */
  exportRead: Call<Kind.Control, { id: string; file: FileName; at: number; length: number }, Uint8Array>
  exportEnd: Call<Kind.Control, { id: string }, void>
}

export const KINDS: { readonly [M in Method]: Calls[M]['kind'] } = {
  createCollection: Kind.Write,
  dropCollection: Kind.Write,
  setMeta: Kind.Write,
  upsert: Kind.Write,
  update: Kind.Write,
  delete: Kind.Write,
  deleteWhere: Kind.Write,
  hasCollection: Kind.Read,
  collections: Kind.Read,
  getMeta: Kind.Read,
  count: Kind.Read,
  footprint: Kind.Read,
  newest: Kind.Read,
  get: Kind.Rows,
  records: Kind.Rows,
  search: Kind.Rows,
  query: Kind.Text,
  setText: Kind.Control,
  changes: Kind.Feed,
  flush: Kind.Control,
  compact: Kind.Control,
  exportBegin: Kind.Control,
  exportRead: Kind.Control,
  exportEnd: Kind.Control,
}

export type Method = keyof Calls
export type Args<M extends Method> = Calls[M]['args']
export type Result<M extends Method> = Calls[M]['result']
export type MethodOf<K extends Kind> = { [M in Method]: Calls[M]['kind'] extends K ? M : never }[Method]

export const isWrite = (method: Method): method is MethodOf<Kind.Write> => KINDS[method] === Kind.Write
/** A call that is answered once something has happened, and until then not waited for. */
export const isFeed = (method: Method) => KINDS[method] === Kind.Feed
export const isRead = (method: Method): method is MethodOf<Kind.Read | Kind.Rows | Kind.Text | Kind.Feed> =>
  KINDS[method] >= Kind.Read

interface SearchArgs {
  queries: Float32Array
  collections: number | undefined
  names: Uint8Array
  topK: number
  minScore: number
  filter: Uint8Array
  withVectors: boolean
}

export interface FoundRecords {
  wire: Uint8Array
  vectors: Float32Array
}
export interface RecordPage extends FoundRecords {
  count: number
  more: boolean
}
export interface Hits {
  wire: Uint8Array
  scores: Float32Array
  vectors: Float32Array | undefined
  counts: Uint32Array
  /** The milliseconds from the engine's receiving the call to its answer. */
  took?: number
}

export type FileName = 'data' | 'log'
/** An export that has begun, and how many bytes of each file it will give. */
export type Exported = { id: string } & Record<FileName, number>
