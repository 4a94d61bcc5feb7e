import type { CallOptions } from '../contract/backend.js'
import type { Calls } from '../contract/calls.js'
import { CREATE_WITH_TEXT } from '../contract/changes.js'
import type { TextStore } from '../contract/text.js'
import { deadCore } from '../core/load.js'
import { NidusError, aborted, closedError } from '../errors/errors.js'
import { runtime } from '../runtime/configure.js'
import { onAbort } from '../runtime/signals.js'
import type { Footprint } from '../types/index.js'
import { textEntry } from './core-calls.js'
import type { OpenCore } from './open-core.js'
import { toTheEnd } from './steps.js'
import type { TextHost } from './text-host.js'

/** Hands calls to the module of texts, which is loaded for the first one, or if a collection has settings. */
export class TextCalls {
  readonly #open: OpenCore
  readonly #closing: () => boolean
  #loading: Promise<TextStore> | undefined
  #store: TextStore | undefined
  /** By collection: resolves when its settings are set or could not be. */
  readonly #setting = new Map<string, Promise<unknown>>()
  readonly #drops = new Map<string, number>()

  constructor(open: OpenCore, closing: () => boolean) {
    this.#open = open
    this.#closing = closing
  }

  /** True once it is used. Its reads take several turns of the event loop. */
  get used() {
    return this.#loading !== undefined
  }

  /** Loads the module if a collection has settings, so that it is ready for the first search. */
  begin() {
    const { store } = this.#open
    const names = this.#open.run(() => store.collections())
    const view = new DataView(names.buffer, names.byteOffset)
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    for (let at = 0, end: number; at < names.length; at = end) {
      end = at + 8 + view.getUint32(at, true)
      const name = decoder.decode(names.subarray(at + 8, end))
      if (textEntry(this.#open.run(() => store.getMeta(name)))) return void this.#load().catch(() => {})
    }
  }

  #load(): Promise<TextStore> {
    this.#loading ??= this.#start().catch((cause: unknown) => {
      this.#loading = undefined
      if (cause instanceof NidusError) throw cause
      throw new NidusError('FAILED', 'the part of the package that finds words could not be loaded', { cause })
    })
    return this.#loading
  }

  async #start(): Promise<TextStore> {
    const open = this.#open
    if (!runtime.text) throw new NidusError('UNSUPPORTED', 'this entry of the package cannot find words')
    const { openText, module } = await runtime.text()
    if (this.#closing()) throw closedError(open.spec.name)
    const host: TextHost = {
      open,
      store: open.store,
      run: (work) => open.run(work),
      check: () => {
        if (this.#closing()) throw closedError(open.spec.name)
        open.check()
      },
      match: (matching, signal) => open.match(matching, signal),
      toTheEnd: (read, signal) => toTheEnd(open, read, signal),
      reading: (work) => open.turns.read(work),
    }
    this.#store = openText(host as never, module)
    return this.#store
  }

  async query(args: Calls['query']['args'], signal: AbortSignal | undefined) {
    return (await this.#load()).query(args, signal)
  }

  /** A collection is about to be dropped. Settings that were asked for before are not set after that. */
  dropping(collection: string) {
    this.#drops.set(collection, this.#dropsOf(collection) + 1)
  }

  #dropsOf(collection: string) {
    return this.#drops.get(collection) ?? 0
  }

  /**
   * Settings of one collection are set in the order of the calls. `alone` runs work in the order of the writes, in no
   * group with others.
   */
  setText(
    { collection, text }: Calls['setText']['args'],
    options: CallOptions,
    alone: (work: () => Promise<void>) => Promise<unknown>,
    commit: (method: string) => Promise<void>,
  ): Promise<void> {
    const drops = this.#dropsOf(collection)
    const before = this.#setting.get(collection) ?? Promise.resolve()
    const work = unlessAborted(before, options.signal).then(async () => {
      const { store } = this.#open
      const texts = await this.#load()
      await texts.setText(collection, text, options, async (change) => {
        await alone(async () => {
          if (this.#closing()) throw closedError(this.#open.spec.name)
          this.#open.check()
          if (this.#dropsOf(collection) !== drops)
            throw new NidusError('ABORTED', `setText: the collection "${collection}" was dropped meanwhile`)
          const method = this.#open.run(() => (store.hasCollection(collection) ? 'setText' : CREATE_WITH_TEXT))
          this.#open.run(() => store.stageSetMeta(collection, change(store.getMeta(collection))))
          await commit(method)
        })
      })
    })
    const after = Promise.allSettled([before, work])
    this.#setting.set(collection, after)
    void after.then(() => {
      if (this.#setting.get(collection) === after) this.#setting.delete(collection)
    })
    return work
  }

  footprint(footprint: Footprint): Footprint {
    const text = this.#store?.footprint()
    return text ? { ...footprint, text } : footprint
  }

  wrote() {
    this.#store?.wrote()
  }

  async end() {
    if (!deadCore()) await this.#store?.end()
  }
}

/** Waits for work that never fails. */
function unlessAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(aborted(signal))
    const leave = onAbort(signal, () => reject(aborted(signal)))
    void work.then(resolve).finally(leave)
  })
}
