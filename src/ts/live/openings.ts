import { checkName } from '../arguments/options.js'
import { invalid } from '../errors/errors.js'
import type { LiveStore, Searchable, StoreState } from '../types/live.js'
import { errorOf, isSearchable, whenEnded } from './source.js'
import { Value } from './value.js'

type Open<T> = (name: string) => PromiseLike<T>

/** How long a store that nobody uses stays open, for who comes back: another page of an app, a module made anew. */
const KEEP = 1000
/** How long a suspended component has to come back. */
const HOLD = 5000

const nothing = () => {}
const without = (status: 'idle' | 'opening') =>
  Object.freeze({ status, store: undefined, error: undefined, retry: nothing })
export const NO_STORE = without('idle')
export const OPENING = without('opening')

/** One opening, for all that use it. */
class Opening<T extends Searchable> extends Value<StoreState<T>> {
  /** Settles with the store. Missing while nobody uses it. */
  #opened: Promise<T> | undefined
  #closing: Promise<unknown> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiting: { over: Promise<void>; stop: () => void } | undefined

  constructor(
    readonly name: string,
    public open: Open<T>,
    readonly forget: () => void,
  ) {
    super(OPENING)
  }

  protected start() {
    clearTimeout(this.#timer)
    if (!this.#opened) this.#begin()
  }

  protected stop() {
    // An error is not kept: who comes next tries again.
    if (this.get().status === 'error') this.#end()
    else this.#timer = setTimeout(() => this.#end(), KEEP)
  }

  #begin() {
    const closing = this.#closing
    const opened = (this.#opened = (async () => {
      await closing
      const store = await this.open(this.name)
      if (!isSearchable(store)) throw invalid(`\`open\` did not return an open store for "${this.name}"`)
      return store
    })())
    const fail = (error: unknown) => {
      if (this.#opened !== opened) return
      const why = errorOf(error, `"${this.name}" cannot be opened`)
      this.put({ status: 'error', store: undefined, error: why, retry: () => this.#retry(opened) })
    }
    opened.then((store) => {
      if (this.#opened !== opened) return
      this.put({ status: 'open', store, error: undefined, retry: nothing })
      whenEnded(store, fail)
    }, fail)
  }

  #retry(failed: Promise<T>) {
    if (this.#opened !== failed || !this.running) return
    this.#end()
    this.#begin()
  }

  #end() {
    const opened = this.#opened
    this.#opened = undefined
    // A store that comes late is closed, too. The next opening waits for that.
    const closing = (this.#closing = opened
      ?.then((store) => store.close())
      .catch(nothing)
      .then(() => {
        if (this.#closing === closing) this.#closing = undefined
        if (!this.#opened) this.forget()
      }))
    this.put(OPENING)
  }

  /** Keeps the store open for a suspended component. Resolves when it is open or has failed. */
  wait(): Promise<void> {
    if (this.#waiting) return this.#waiting.over
    let settled!: () => void
    const over = new Promise<void>((resolve) => (settled = resolve))
    const unlisten = this.listen(() => {
      if (this.get() === OPENING) return
      settled()
      setTimeout(stop, HOLD)
    })
    const stop = () => {
      if (this.#waiting?.over === over) this.#waiting = undefined
      unlisten()
    }
    this.#waiting = { over, stop }
    return over
  }

  /** An error boundary has the error now. If it tries again, so does this. */
  thrown() {
    if (this.#waiting) setTimeout(this.#waiting.stop, 0)
  }
}

type Openings = Map<string, Opening<Searchable>>
// Two copies of this module, for example before and after it was loaded anew, must not open a store twice.
const HERE = Symbol.for('nidus-wasm.openings.1')
const openings = () => ((globalThis as { [HERE]?: Openings })[HERE] ??= new Map())

export interface Shared<T extends Searchable> extends LiveStore<T> {
  listen: (listener: () => void) => () => void
  wait: () => Promise<void>
  thrown: () => void
}

/** Returns the opening of a key. Nothing is done before somebody listens or waits. */
export function shared<T extends Searchable>(key: string, name: string, open: Open<T>): Shared<T> {
  const opening = () => {
    const all = openings()
    let one = all.get(key) as Opening<T> | undefined
    if (!one) {
      const made: Opening<T> = (one = new Opening(name, open, () => {
        if (all.get(key) === (made as unknown)) all.delete(key)
      }))
      all.set(key, one)
    }
    one.open = open
    return one
  }
  return {
    get: () => (openings().get(key)?.get() as StoreState<T> | undefined) ?? OPENING,
    listen: (listener) => opening().listen(listener),
    subscribe: (run) => opening().subscribe(run),
    wait: () => opening().wait(),
    thrown: () => opening().thrown(),
  }
}

export function liveStore<T extends Searchable>(name: string, open: Open<T>): LiveStore<T> {
  checkName(name)
  if (typeof open !== 'function') throw invalid('liveStore: `open` is a function that opens the store of a name')
  const { get, subscribe } = shared(keyOfOpen(name), name, open)
  return { get, subscribe }
}

/** The key of a store that a function of the caller's opens. `useNidus` has the same. */
export const keyOfOpen = (name: string, options = '{}') => `${JSON.stringify(name)} ${options}`
