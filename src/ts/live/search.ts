import { COLLECTION } from '../text-index/records.js'
import type { NidusError, StoreChange } from '../types/index.js'
import type { LiveSearch, LiveStore, Searchable, SearchState } from '../types/live.js'
import { Vectors, ask, isEmpty, type Question } from './ask.js'
import { checkLive, type Checked } from './options.js'
import { copyOf, same } from './same.js'
import { checkSource, errorOf, isIndex, isLive, onChange } from './source.js'
import { Value } from './value.js'

type State = SearchState<Searchable>

const REFRESH = 100
const nothing = () => {}
const EMPTY = Object.freeze([]) as unknown as State['hits']
const empty = (status: State['status'], error?: NidusError, retry = nothing): State =>
  Object.freeze({ status, hits: EMPTY, stale: false, error, retry })
export const IDLE = empty('idle')
export const SEARCHING = empty('searching')
export const failedToOpen = (error: NidusError, retry: () => void): State => empty('error', error, retry)
const isStale = (hits: State['hits']) => hits !== EMPTY

/** An answer, and what it answers. */
export interface Answered {
  state: State
  question: Question
  asked: Checked['asked'] | undefined
}
export const UNANSWERED: Answered = Object.freeze({ state: IDLE, question: undefined, asked: undefined })

/** Returns whether an answer is one for this question. */
export const answers = ({ question, asked }: Answered, to: Question, options: Checked): boolean =>
  asked !== undefined && same(question, to) && same(asked, options.asked)

/** Returns what to show of an answer to something else, while this question is searched. */
export const searching = ({ hits, retry }: State, again = retry): State => ({
  status: 'searching',
  hits,
  stale: isStale(hits),
  error: undefined,
  retry: again,
})

export class Search extends Value<State> {
  readonly #given: Searchable | LiveStore<Searchable>
  #source: Searchable | undefined
  #question: Question
  #options: Checked
  /**
   * The last answer. React renders only this: that a question is being searched, a component knows from what it asks.
   * So it renders twice for each question.
   */
  #answered = UNANSWERED
  /** The search under way. */
  #running: AbortController | undefined
  /** Ends listening. */
  #listening: AbortController | undefined
  /** The source whose changes are heard. */
  #heard: Searchable | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** True if data changed during the search under way. */
  #changed = false
  #lastAsked = -Infinity
  readonly #vectors = new Vectors()

  constructor(source: Searchable | LiveStore<Searchable>, options: Checked, answered?: Answered) {
    super(answered?.state ?? IDLE)
    this.#given = source
    this.#options = options
    if (!answered) return
    this.#answered = answered
    this.#question = answered.question
  }

  readonly answered = (): Answered => this.#answered

  protected start() {
    this.#listening = new AbortController()
    const { signal } = this.#listening
    const given = this.#given
    if (!isLive(given)) return this.#use(given)
    const stop = given.subscribe(({ status, store, error, retry }) => {
      if (status === 'open') {
        if (store !== this.#source) this.#use(store)
        return
      }
      this.#source = undefined
      this.#stopAsking()
      if (isEmpty(this.#question) && status !== 'error') return
      const { hits } = this.get()
      if (status === 'error') this.#answer({ status, hits, stale: isStale(hits), error, retry })
      else this.put(searching(this.get(), this.retry))
    })
    signal.addEventListener('abort', stop, { once: true })
  }

  #use(source: Searchable) {
    this.#source = source
    this.#hear()
    if (isEmpty(this.#question)) return
    // Nobody listened to changes until now, so what is shown may be old.
    const { status } = this.get()
    if (status === 'idle' || status === 'error') this.put(searching(this.get(), this.retry))
    void this.#ask()
  }

  protected stop() {
    this.#listening?.abort()
    this.#stopAsking()
    this.#source = this.#heard = undefined
  }

  /** Listens to changes, unless the options say not to. Returns whether it did not listen before. */
  #hear(): boolean {
    if (this.#options.own.refresh === false || !this.#source || this.#heard === this.#source) return false
    this.#heard = this.#source
    onChange(this.#source, (event) => this.#onChange(event), this.#listening!.signal)
    return true
  }

  #stopAsking() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#changed = false
    this.#running?.abort()
    this.#running = undefined
  }

  /** Asks another question. */
  next(question: Question, options: Checked) {
    const old = { question: this.#question, asked: this.#options.asked, state: IDLE }
    this.#options = options
    const missed = this.#hear()
    if (answers(old, question, options) || (isEmpty(question) && isEmpty(old.question))) {
      if (missed) this.#refresh()
      return
    }
    this.#question = copyOf(question)
    this.#stopAsking()
    if (isEmpty(question)) {
      this.#answered = UNANSWERED
      return this.put(IDLE)
    }
    if (this.get().status === 'error' && !this.#source && this.running) return
    this.put(searching(this.get(), this.retry))
    if (!this.#source) return
    const { debounce = 0 } = options.own
    if (debounce === 0) return void this.#ask()
    this.#timer = setTimeout(() => void this.#ask(), debounce)
  }

  readonly retry = () => {
    if (isEmpty(this.#question) || !this.#source) return
    this.#stopAsking()
    this.#answer(searching(this.get(), this.retry))
    void this.#ask()
  }

  async #ask() {
    const [source, question, options] = [this.#source!, this.#question!, this.#options]
    this.#stopAsking()
    const running = (this.#running = new AbortController())
    this.#lastAsked = performance.now()
    const current = () => this.#running === running
    const { hits: before } = this.get()
    try {
      const found = await ask(source, question, options, this.#vectors, running.signal, (words) => {
        if (current()) this.#show('searching', words as State['hits'])
      })
      if (!current()) return
      // Hits that are the same stay the same object, so that nothing is drawn anew.
      const hits = same(before, found) ? before : (found as State['hits'])
      const { status, hits: shown } = this.get()
      if (status !== 'done' || shown !== hits) this.#show('done', hits)
    } catch (error) {
      if (!current()) return
      const { hits } = this.get()
      this.#show('error', hits, errorOf(error, 'the search failed'))
    }
    this.#running = undefined
    if (this.#changed) this.#refresh()
  }

  #show(status: 'searching' | 'done' | 'error', hits: State['hits'], error?: NidusError) {
    this.#answer({ status, hits, stale: error !== undefined && isStale(hits), error, retry: this.retry })
  }

  /** Shows a state for the present question. */
  #answer(state: State) {
    this.#answered = { state, question: this.#question, asked: this.#options.asked }
    this.put(state)
  }

  #onChange(event: StoreChange | undefined) {
    const { collections } = this.#options.asked as { collections?: string | string[] }
    const names = isIndex(this.#source!) ? [COLLECTION] : collections === undefined ? undefined : [collections].flat()
    if (event && !event.reset && names && !names.some((name) => event.collections[name])) return
    this.#refresh()
  }

  /** Asks again, for data that changed. */
  #refresh() {
    const { refresh = REFRESH } = this.#options.own
    if (isEmpty(this.#question) || !this.#source || refresh === false) return
    if (this.#running) return void (this.#changed = true)
    // A question that waits is asked in any case.
    if (this.#timer !== undefined) return
    this.#changed = false
    const wait = this.#lastAsked + refresh - performance.now()
    if (wait <= 0) return void this.#ask()
    this.#timer = setTimeout(() => void this.#ask(), wait)
  }
}

export function liveSearch(source: unknown, options?: object): LiveSearch<Searchable> {
  let checked = checkLive(options, 'liveSearch')
  const search = new Search(checkSource(source, 'liveSearch'), checked)
  return {
    get: search.get,
    subscribe: search.subscribe,
    set(question, more) {
      if (more !== undefined) checked = checkLive(more, 'set')
      search.next(question, checked)
    },
  }
}
