import type { Hits as CoreHits, Matching, Rows, Store } from '../core.js'
import type { Footprint } from '../types/index.js'
import type { Calls, Method } from './backend.js'
import type { Reads, Writes } from './methods.js'

type On<M extends Method> = (core: Store, ...args: Parameters<Calls[M]>) => ReturnType<Calls[M]>
/** Undefined: rows are wanting, and the same is to be called again. */
export type Step<R> = (rows: Rows) => R | undefined

/** Results are copied out of the wasm memory by the getters, so they may be freed at once. */
function take<T extends { free(): void }, R>(result: T | undefined, copy: (result: T) => R): R | undefined {
  try {
    return result && copy(result)
  } finally {
    result?.free()
  }
}

export const hitsOf = (hits: CoreHits | undefined) => take(hits, ({ wire, scores, vectors, counts }) => ({ wire, scores, vectors, counts }))

export const reads: { [M in Exclude<Reads, keyof typeof stepped>]: On<M> } = {
  hasCollection: (core, collection) => core.hasCollection(collection),
  collections: (core) => core.collections(),
  getMeta: (core, collection) => core.getMeta(collection),
  count: (core, collection, filter) => core.count(collection, filter),
  footprint: (core) => JSON.parse(core.footprint()) as Footprint,
  newest: (core, sender) => core.receipt(sender, 0, 0),
}

/** What a filter matches, where finding that out takes so long that it is done in slices, before the call that has it. */
export function matchingOf(core: Store, method: Method, args: unknown[]): Matching | undefined {
  const search = method === 'search'
  const filter = args[search ? 5 : 1]
  if (!(search || method === 'count' || method === 'records' || method === 'deleteWhere') || !(filter as Uint8Array).length) return
  const one = search ? (args[1] === 1 ? new TextDecoder().decode((args[2] as Uint8Array).subarray(8)) : undefined) : (args[0] as string | undefined)
  return core.matching(one, filter as Uint8Array, !search)
}

/** Reads of rows, which memory need not hold; `free` ends one, done or not. */
export const stepped = {
  get: (core, collection, count, ids) => ({ step: (rows) => take(core.get(collection, count, ids, rows), ({ wire, vectors }) => ({ wire, vectors })) }),
  records: (core, collection, filter, after, limit) => ({
    step: (rows) => take(core.records(collection, filter, after, limit, rows), ({ wire, vectors, count, more }) => ({ wire, vectors, count, more })),
  }),
  search: (core, queries, collections, names, topK, minScore, filter, withVectors) => {
    const search = core.beginSearch(queries, collections, names, topK, minScore, filter)
    return {
      step: (rows) => hitsOf(search.advance(core, rows, withVectors)),
      free: () => search.free(),
    }
  },
} satisfies { [M in 'get' | 'records' | 'search']: (core: Store, ...args: Parameters<Calls[M]>) => { step: Step<ReturnType<Calls[M]>>; free?(): void } }

export const writes: { [M in Writes]: On<M> } = {
  createCollection: (core, collection) => core.stageCreate(collection),
  dropCollection: (core, collection) => core.stageDrop(collection),
  setMeta: (core, collection, meta) => core.stageSetMeta(collection, meta),
  upsert: (core, collection, count, batch, vectors) => core.stageUpsert(collection, count, batch, vectors, 0),
  delete: (core, collection, count, ids) => core.stageDelete(collection, count, ids),
  deleteWhere: (core, collection, filter) => core.stageDeleteWhere(collection, filter),
}
