/// <reference path="./platform.d.ts" />
/**
 * Describes one committed write: one call of `upsert`, `update`, `delete`, `deleteWhere`, `createCollection`,
 * `dropCollection`, `setMeta` or `setText` that changed something.
 */
export interface StoreChange {
  /** What changed, by the name of the collection. Empty if `reset` is true. */
  collections: { [collection: string]: CollectionChange }
  /**
   * True if the listener may have missed writes. Reasons: another tab took over the store, the browser had suspended
   * the page, or the listener was too far behind. Anything may have changed.
   */
  reset: boolean
  /** True if this `Nidus` made the write, and false if another one did, here or in another tab. */
  local: boolean
}

/** What one write changed in a collection. */
export interface CollectionChange {
  /** The number of records that were upserted. */
  upserted: number
  /** The number of records whose attributes were updated. */
  updated: number
  /** The number of records that were deleted. Those of a dropped collection are not counted. */
  deleted: number
  /**
   * The ids of those records, each once, if the listener asked for ids. `get` returns their present state.
   */
  ids?: string[]
  /** True if `createCollection` or `setText` made the collection. Not set if `upsert` or `setMeta` made it. */
  created?: true
  /** True if the collection was deleted, with all its records. */
  dropped?: true
  /** True if the metadata was set. */
  meta?: true
  /** True if the text settings were set or removed. */
  text?: true
}

export interface ListenOptions {
  /** Includes the ids of the records. Default: false. */
  ids?: boolean
  /** Ends listening, as `off` does. */
  signal?: AbortSignal
}

/** The events of a store: their names, and what their listeners are given. */
export interface StoreEvents {
  change: StoreChange
}

export type StoreListener<E extends keyof StoreEvents = 'change'> = (event: StoreEvents[E]) => void
