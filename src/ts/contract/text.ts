import type { CallOptions } from './backend.js'
import type { QueryArgs, QueryHits } from './query.js'

/** The key under which a collection's metadata holds its text settings. */
export const TEXT_KEY = 'nidus.text'

/** Counts of the indexes of words of a store. */
export interface TextFootprint {
  /** The memory of the indexes, in bytes. */
  bytes: number
  /** The number of their words. A word counts once in each part of an index. */
  terms: number
  /** The number of documents that are not in the index yet. */
  behind: number
}

/**
 * Makes the indexes of a store. `host` is a `TextHost`, which is declared above this folder. `wasm` loads
 * nidus-text.wasm, which is needed for words alone.
 */
export type OpenText = (host: never, wasm: () => Promise<WebAssembly.Module>) => TextStore

/** The indexes of words of one open store. */
export interface TextStore {
  query(args: QueryArgs, signal: AbortSignal | undefined): Promise<QueryHits>
  /**
   * Checks new settings (JSON; null: none), makes them durable, and uses them from then on. Calls for the same
   * collection are carried out in their order. `commit` runs a step that stages a write and returns the name of its
   * call, and then makes the write durable. `dropped` tells whether the collection was dropped after the call.
   */
  setText(
    collection: string,
    text: string,
    options: CallOptions,
    dropped: () => boolean,
    commit: (stage: () => string) => Promise<unknown>,
  ): Promise<void>
  /** Undefined: no words were searched. */
  footprint(): TextFootprint | undefined
  /** Called after each commit and each compaction. */
  wrote(): void
  /** Ends the background work. The store is still open. */
  end(): Promise<void>
}
