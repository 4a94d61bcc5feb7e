import type { Args, Calls, Hits, Method, MethodOf, Result, Kind } from '../contract/calls.js'
import { TEXT_KEY } from '../contract/text.js'
import type { Hits as CoreHits, Matching, Store } from '../core/core.js'
import type { Footprint } from '../types/index.js'
import type { SteppedRead } from './steps.js'

// The step into the core of every write and every read.

const decoder = new TextDecoder()

/** One call with its arguments: `method` tells which arguments it has. */
export type AnyCall<M extends Method = Method> = { [K in M]: { method: K; args: Args<K> } }[M]
type Run<M extends Method> = (core: Store, args: Args<M>) => Result<M>
/** Stages one write. `dropped` is true if the collection was dropped earlier in the same commit group. */
type RunWrite<M extends Method> = (core: Store, args: Args<M>, dropped: boolean) => Result<M>

const NO_VECTORS = /* @__PURE__ */ new Float32Array()

export const writes: { readonly [M in MethodOf<Kind.Write>]: RunWrite<M> } = {
  createCollection: (core, { collection }) => core.stageCreate(collection),
  dropCollection: (core, { collection }) => core.stageDrop(collection),
  setMeta: (core, { collection, meta }, dropped) =>
    core.stageSetMeta(collection, dropped ? meta : keepingText(core, collection, meta)),
  upsert: (core, { collection, count, batch, vectors }) =>
    core.stageUpsert(collection, count, batch, vectors, 0, false),
  update: (core, { collection, count, batch }) => core.stageUpsert(collection, count, batch, NO_VECTORS, 0, true),
  delete: (core, { collection, count, ids }) => core.stageDelete(collection, count, ids),
  deleteWhere: (core, { collection, filter }) => core.stageDeleteWhere(collection, filter),
}

export const reads: { readonly [M in MethodOf<Kind.Read>]: Run<M> } = {
  hasCollection: (core, { collection }) => core.hasCollection(collection),
  collections: (core) => core.collections(),
  getMeta: (core, { collection }) => core.getMeta(collection),
  count: (core, { collection, filter }) => core.count(collection, filter),
  footprint: (core) => JSON.parse(core.footprint()) as Footprint,
  newest: (core, { sender }) => core.receipt(sender, 0, 0),
}

export const rowReads: { readonly [M in MethodOf<Kind.Rows>]: (core: Store, args: Args<M>) => SteppedRead<Result<M>> } =
  {
    get: (core, { collection, count, ids }) => ({
      step: (rows) => take(core.get(collection, count, ids, rows), ({ wire, vectors }) => ({ wire, vectors })),
    }),
    records: (core, { collection, filter, after, limit }) => ({
      step: (rows) =>
        take(core.records(collection, filter, after, limit, rows), ({ wire, vectors, count, more }) => ({
          wire,
          vectors,
          count,
          more,
        })),
    }),
    search: (core, args) => {
      const search = beginSearch(core, args)
      return { step: (rows) => hitsOf(search.advance(core, rows, +args.withVectors)), free: () => search.free() }
    },
  }

/** Returns the metadata together with the settings of the collection's texts, which only `setText` changes. */
function keepingText(core: Store, collection: string, meta: Uint8Array): Uint8Array {
  const settings = textEntry(core.getMeta(collection))
  if (!settings) return meta
  const kept = new Uint8Array(meta.length + settings.length)
  kept.set(meta)
  kept.set(settings, meta.length)
  const view = new DataView(kept.buffer)
  view.setUint32(0, view.getUint32(0, true) + 1, true)
  return kept
}

/**
 * Returns the bytes of the text settings within encoded metadata: their key and their value, each with its length.
 */
export function textEntry(meta: Uint8Array): Uint8Array | undefined {
  const view = new DataView(meta.buffer, meta.byteOffset)
  const end = (at: number) => at + 8 + view.getUint32(at, true)
  for (let at = 8; at < meta.length;) {
    const value = end(at)
    const next = end(value)
    if (decoder.decode(meta.subarray(at + 8, value)) === TEXT_KEY) return meta.subarray(at, next)
    at = next
  }
  return undefined
}

/** Runs a call by its name. TypeScript does not see by itself that a name and its arguments go together. */
export const runWrite = <M extends MethodOf<Kind.Write>>(core: Store, { method, args }: AnyCall<M>, dropped: boolean) =>
  (writes[method] as RunWrite<M>)(core, args, dropped)
export const runRead = <M extends MethodOf<Kind.Read>>(core: Store, { method, args }: AnyCall<M>) =>
  (reads[method] as Run<M>)(core, args)
export const beginRead = <M extends MethodOf<Kind.Rows>>(core: Store, { method, args }: AnyCall<M>) =>
  (rowReads[method] as (core: Store, args: Args<M>) => SteppedRead<Result<M>>)(core, args)

export const beginSearch = (
  core: Store,
  { queries, collections, names, topK, minScore, filter }: Calls['search']['args'],
) => core.beginSearch(queries, collections, names, topK, minScore, filter)

export const hitsOf = (hits: CoreHits | undefined): Hits | undefined =>
  take(hits, ({ wire, scores, vectors, counts }) => ({ wire, scores, vectors, counts }))

/** Copies a result and frees it. The getters copy out of the wasm memory, so the result may be freed at once. */
function take<T extends { free(): void }, R>(result: T | undefined, copy: (result: T) => R): R | undefined {
  try {
    return result && copy(result)
  } finally {
    result?.free()
  }
}

/**
 * Returns the evaluation of a call's filter if it may take long. Then it is done in slices before the call itself.
 * Returns undefined if it is quick, or if there is no filter.
 */
export function matchingOf(core: Store, { method, args }: AnyCall): Matching | undefined {
  if (method === 'search') return args.filter.length > 0 ? core.matching(onlyName(args), args.filter, false) : undefined
  if (method !== 'count' && method !== 'records' && method !== 'deleteWhere') return undefined
  return args.filter.length > 0 ? core.matching(args.collection, args.filter, true) : undefined
}

/**
 * Returns the name of the collection if the search is in only one. Eight bytes with its length come before the name.
 */
const onlyName = ({ collections, names }: Calls['search']['args']) =>
  collections === 1 ? new TextDecoder().decode(names.subarray(8)) : undefined
