import type { Store } from '../core.js'
import type { Footprint } from '../types/index.js'
import type { Calls, Method } from './backend.js'
import type { Reads, Writes } from './methods.js'

type On<M extends Method> = (core: Store, ...args: Parameters<Calls[M]>) => ReturnType<Calls[M]>

/** Results are copied out of the wasm memory by the getters, so they may be freed at once. */
function take<T extends { free(): void }, R>(result: T, copy: (result: T) => R): R {
  try {
    return copy(result)
  } finally {
    result.free()
  }
}

export const reads: { [M in Reads]: On<M> } = {
  hasCollection: (core, collection) => core.hasCollection(collection),
  collections: (core) => core.collections(),
  getMeta: (core, collection) => core.getMeta(collection),
  count: (core, collection, filter) => core.count(collection, filter),
  get: (core, collection, count, ids) => take(core.get(collection, count, ids), ({ wire, vectors }) => ({ wire, vectors })),
  records: (core, collection, filter, after, limit) =>
    take(core.records(collection, filter, after, limit), ({ wire, vectors, count, more }) => ({ wire, vectors, count, more })),
  search: (core, query, collections, names, topK, minScore, filter, withVectors) =>
    take(core.search(query, collections, names, topK, minScore, filter, withVectors), ({ wire, scores, vectors, count }) => ({ wire, scores, vectors, count })),
  footprint: (core) => JSON.parse(core.footprint()) as Footprint,
}

export const writes: { [M in Writes]: On<M> } = {
  createCollection: (core, collection) => core.stageCreate(collection),
  dropCollection: (core, collection) => core.stageDrop(collection),
  setMeta: (core, collection, meta) => core.stageSetMeta(collection, meta),
  upsert: (core, collection, count, batch, vectors) => core.stageUpsert(collection, count, batch, vectors),
  delete: (core, collection, count, ids) => core.stageDelete(collection, count, ids),
  deleteWhere: (core, collection, filter) => core.stageDeleteWhere(collection, filter),
}
