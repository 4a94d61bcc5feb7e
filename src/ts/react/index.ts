import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { NidusError, invalid } from '../errors/errors.js'
import { isEmpty, type Question } from '../live/ask.js'
import { NO_STORE, OPENING, shared } from '../live/openings.js'
import { IDLE, SEARCHING, Search, UNANSWERED, answers, failedToOpen, searching } from '../live/search.js'
import { isSearchable } from '../live/source.js'
import type { Searchable, SearchState, StoreState } from '../types/live.js'
import type { UseNidusOptions } from '../types/react.js'
import { hold } from './held.js'
import { checkUse, checkUseSearch } from './options.js'

type State = StoreState<Searchable>

const nowhere = { listen: () => () => {}, get: (): State => NO_STORE, answered: () => UNANSWERED }
const opening = (): State => OPENING

/** Nothing can be opened while a server renders. React then renders the fallback, and the page does the rest. */
function refuseServer(place: string) {
  if (typeof document === 'undefined')
    throw new NidusError('UNSUPPORTED', `${place}: a server renders the fallback of the nearest Suspense boundary`)
}

// React's own way to suspend, which versions 18 and 19 both have, is to throw a promise.
function suspend(over: Promise<void>): never {
  throw over
}

export function useNidus(name: unknown, options?: UseNidusOptions<Searchable>): State {
  const use = checkUse(name, options)
  const key = use?.key
  // The key says all that counts of the name and the options.
  const store = useMemo(() => use && shared(use.key, use.name, use.open), [key])
  const { listen, get } = store ?? nowhere
  const state = useSyncExternalStore(listen, get, store ? opening : nowhere.get)
  if (store && use?.suspense) {
    if (state.status === 'opening') {
      refuseServer('useNidus')
      suspend(store.wait())
    }
    if (state.status === 'error') {
      store.thrown()
      throw state.error
    }
  }
  return state
}

/** Returns the store of a source, or what to show while it has none. */
function storeOf(source: unknown): Searchable | SearchState<Searchable> {
  if (source === null || source === undefined) return IDLE
  if (isSearchable(source)) return source
  const { status, store, error, retry } = source as State
  if (status === 'open') return store
  if (status === 'error') return failedToOpen(error, retry)
  if (status === 'opening') return SEARCHING
  if (status === 'idle') return IDLE
  throw invalid('useSearch: the source is an open store, a TextIndex, or what useNidus returned')
}

export function useSearch(source: unknown, question: Question, options?: object): SearchState<Searchable> {
  const checked = checkUseSearch(options)
  const found = storeOf(source)
  const store = isSearchable(found) ? found : undefined
  // Reading and filling this while rendering is harmless, because a search does nothing before it has a listener.
  const [searches] = useState(() => new WeakMap<Searchable, Search>())
  let search = store && searches.get(store)
  if (store && !search) {
    const first = checked.suspense && !isEmpty(question) ? firstAnswer(store, question, checked) : undefined
    searches.set(store, (search = new Search(store, checked, first)))
  }
  const { listen, answered } = search ?? nowhere
  const latest = useSyncExternalStore(listen, answered, nowhere.answered)
  useEffect(() => search?.next(question, checked))
  if (isEmpty(question)) return IDLE
  if (!isSearchable(found)) return found
  return answers(latest, question, checked) ? latest.state : searching(latest.state)
}

/** Returns the first answer for a component that suspends until it is there. */
function firstAnswer(store: Searchable, question: Question, checked: ReturnType<typeof checkUseSearch>) {
  refuseServer('useSearch')
  const { over, answered, stop } = hold(store, question, checked)
  const { asked, state } = answered()
  if (!asked) suspend(over)
  if (state.status !== 'error') return answered()
  // An error boundary has the error now. If it tries again, so does this.
  setTimeout(stop, 0)
  throw state.error
}
