/// <reference path="./platform.d.ts" />
/**
 * `nidus-wasm/live`: open stores and the hits of a question as values that tell when they change, for Vue, Svelte,
 * Solid, or no framework. `nidus-wasm/react` is made of them.
 */
import type { AttrsIn, CollectionOf, HitIn } from './schema.js'
import type { Nidus, NidusError } from './index.js'
import type { QuestionOptions } from './search.js'
import type { DocumentHit, TextHits, TextIndex, TextSearchOptions } from './text-index.js'
import type { Hits, Query } from './text.js'
import type { Vector } from './vector.js'

/** What can be searched: a store, or an index of texts (`nidus-wasm/text`). */
export type Searchable = Nidus<any> | TextIndex<any>

/** A question for a source: what its `search` takes. With no question, or an empty text, nothing is searched. */
export type QuestionOf<T> = (T extends TextIndex<any> ? string : string | Vector | Query) | null | undefined

/**
 * The hits of a source. The list is empty until the first answer. `by` and `embedderError` of a store's hits are there
 * only if `embed` failed and words answered alone.
 */
export type HitsOf<T> =
  T extends TextIndex<infer A>
    ? DocumentHit<A>[] & Partial<Pick<TextHits<A>, 'by' | 'embedded' | 'embedderError'>>
    : T extends Nidus<infer S>
      ? Hits<HitIn<S>> & Partial<Pick<TextHits, 'by' | 'embedderError'>>
      : never

/** The options of a source's own `search`. */
export type SearchOptionsOf<T> =
  T extends TextIndex<infer A>
    ? Omit<TextSearchOptions<A>, 'onWords' | 'signal'>
    : T extends Nidus<infer S>
      ? Omit<QuestionOptions<AttrsIn<S>, CollectionOf<S>>, 'signal'>
      : never

/** The options of a live search that do not go to the source's `search`. */
export interface LiveOptions {
  /** How long to wait after the last change of the question before it is asked, in milliseconds. Default: 0. */
  debounce?: number
  /**
   * How often to ask again at most while data changes: the least time between two searches, in milliseconds. `false`
   * never asks again. Default: 100.
   */
  refresh?: number | false
  /**
   * Makes the vector of a question that is a text, for a store. One text is embedded at a time: while somebody types,
   * only the latest text waits. If it fails, words answer alone: `hits.by` is `'words'` then, and `hits.embedderError`
   * says why. A `TextIndex` has an embedder of its own.
   */
  embed?: (text: string, options: { signal: AbortSignal }) => PromiseLike<Vector> | Vector
  /**
   * How a text is searched in a store. `'hybrid'`: by words and by the vector of `embed` together. `'words'`: by words
   * alone. `'meaning'`: by the vector alone. Default: `'hybrid'` with `embed`, otherwise `'words'`. It means the same
   * for a `TextIndex`.
   */
  by?: 'hybrid' | 'words' | 'meaning'
  /**
   * Shows the answer of words while the question is still being embedded. `status` is `'searching'` until the whole
   * answer is there. Default: false.
   */
  wordsFirst?: boolean
}

export type LiveSearchOptions<T = Nidus> = SearchOptionsOf<T> & LiveOptions

/** What a live search shows. The object is replaced when something changes, and never changed itself. */
export interface SearchState<T = Nidus> {
  /**
   * `'idle'`: there is no question, or nothing to search. `'searching'`: the present question has no whole answer yet.
   * `'done'`: `hits` are its answer. `'error'`: it failed, and `error` says why.
   *
   * A search that is made again because data changed leaves `'done'` as it is.
   */
  readonly status: 'idle' | 'searching' | 'done' | 'error'
  /** The last good hits. They stay until other hits take their place, or there is no question. */
  readonly hits: HitsOf<T>
  /** True if `hits` are those of an earlier question, or from before the search failed. */
  readonly stale: boolean
  /** Why the search failed, or why the store could not be opened. A search that was aborted is no error. */
  readonly error: NidusError | undefined
  /** Asks again, and opens the store again if that is what failed. */
  readonly retry: () => void
}

/** The state of a store that is opened for those who use it. */
export type StoreState<T = Nidus> = OpenState<T> | WaitingState | FailedState

/** The state of a store that is not open yet. */
export interface WaitingState {
  /** `'idle'`: there is no name. `'opening'`: the store is being opened. */
  readonly status: 'idle' | 'opening'
  readonly store: undefined
  readonly error: undefined
  readonly retry: () => void
}

/** The state of a store that could not be opened, or that has failed since. */
export interface FailedState {
  readonly status: 'error'
  readonly store: undefined
  /** Why. For example its code is `LOCKED` if the store is open elsewhere and cannot be shared. */
  readonly error: NidusError
  /** Opens the store again. */
  readonly retry: () => void
}

/** The state of a store that is open. */
export interface OpenState<T = Nidus> {
  readonly status: 'open'
  /** The open store. Do not close it: it is closed when nobody uses it any more. */
  readonly store: T
  readonly error: undefined
  readonly retry: () => void
}

/** A value that changes. It is a store as Svelte means it, and fits `from` of Solid. */
export interface Live<V> {
  /**
   * Calls `run` with the value, at once and after each change. Returns a function that ends this. Work is done only
   * while somebody has subscribed.
   */
  subscribe(run: (value: V) => void): () => void
  /** Returns the present value. */
  get(): V
}

/** A store that is open while somebody has subscribed. */
export interface LiveStore<T = Nidus> extends Live<StoreState<T>> {}

/** A question, and its hits. */
export interface LiveSearch<T = Nidus> extends Live<SearchState<T>> {
  /**
   * Asks another question. What was asked before is aborted, and its late answer is dropped. Does nothing if question
   * and options are equal to the present ones. Throws `INVALID_ARGUMENT` for a wrong option.
   *
   * ```js
   * found.set('the roof')
   * ```
   */
  set(question: QuestionOf<T>, options?: LiveSearchOptions<T>): void
}

/**
 * Returns a store that is opened for the first subscriber and closed a second after the last one has gone. All callers
 * that give the same name share one opening, so use one function `open` for one name. Throws `INVALID_ARGUMENT` for a
 * wrong argument.
 *
 * ```js
 * const notes = liveStore('notes', (name) => Nidus.open(name, { dimension: 384 }))
 * const stop = notes.subscribe(({ status, store, error }) => console.log(status, store?.name, error?.code))
 * ```
 */
export function liveStore<T extends Searchable>(name: string, open: (name: string) => PromiseLike<T>): LiveStore<T>

/**
 * Returns the hits of a question: asked with `set`, and asked again when data changes in any tab. Nothing is asked
 * before somebody subscribes. Throws `INVALID_ARGUMENT` for a wrong option.
 *
 * ```js
 * const found = liveSearch(db, { collections: 'notes', topK: 5 })
 * const stop = found.subscribe(({ status, hits }) => console.log(status, hits.length))
 * found.set('roof')
 * ```
 */
export function liveSearch<T extends Searchable>(
  source: T | LiveStore<T>,
  options?: LiveSearchOptions<T>,
): LiveSearch<T>
