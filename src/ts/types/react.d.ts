/// <reference path="./platform.d.ts" />
/** `nidus-wasm/react`: hooks for React 18 and later. Install `react` yourself. */
import type {
  LiveOptions,
  OpenState,
  QuestionOf,
  Searchable,
  SearchOptionsOf,
  SearchState,
  StoreState,
} from './live.js'
import type { Nidus, OpenOptions } from './index.js'

export type {
  FailedState,
  HitsOf,
  LiveOptions,
  OpenState,
  QuestionOf,
  Searchable,
  SearchOptionsOf,
  SearchState,
  StoreState,
  WaitingState,
} from './live.js'

export type UseNidusOptions<T = Nidus> = OpenOptions & {
  /**
   * Opens the store. It is called with the name and the other options. Default: `Nidus.open` of `nidus-wasm`, which is
   * loaded when it is first needed. All components that give the same name and options share one opening, so use one
   * function for one name.
   */
  open?: (name: string, options: OpenOptions) => PromiseLike<T>
  /**
   * Suspends the component until the store is open, and throws to the error boundary if it cannot be opened. On a
   * server the fallback is rendered. Default: false.
   */
  suspense?: boolean
}

export type UseSearchOptions<T = Nidus> = SearchOptionsOf<T> &
  LiveOptions & {
    /**
     * Suspends a component that is new, and has a question, until the first answer. Throws to the error boundary if
     * that fails. Later questions keep the last hits, and later errors are values. A store that is still being opened
     * is not waited for: give `suspense` to `useNidus`, too. Default: false.
     */
    suspense?: boolean
  }

/**
 * Returns a store that is open while a component uses it. The first component opens it. It is closed a second after the
 * last one is gone. Components that give the same name and the same options share one opening. Options are compared by
 * value, and functions among them do not count. Without a name nothing is opened. Throws `INVALID_ARGUMENT` for a wrong
 * option.
 *
 * ```js
 * const notes = useNidus('notes', { dimension: 384 })
 * const texts = useNidus('texts', { open: (name) => TextIndex.open(name, { embedder }) })
 * ```
 */
export function useNidus<T extends Searchable = Nidus, Suspends extends boolean = false>(
  name: string | null | undefined,
  options?: UseNidusOptions<T> & { suspense?: Suspends },
): Suspends extends true ? OpenState<T> : StoreState<T>

/**
 * Returns the hits of a question. It is asked again when it or the options change (they are compared by value), and
 * when data changes in any tab. `source` is a store, a `TextIndex`, or what `useNidus` returned. Throws
 * `INVALID_ARGUMENT` for a wrong option.
 *
 * ```js
 * const notes = useNidus('notes', { dimension: 384 })
 * const [question, setQuestion] = useState('')
 * const { hits, status, error } = useSearch(notes, question, { topK: 5 })
 * ```
 */
export function useSearch<T extends Searchable>(
  source: T | StoreState<T> | null | undefined,
  question: QuestionOf<T>,
  options?: UseSearchOptions<T>,
): SearchState<T>
