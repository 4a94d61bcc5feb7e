import type { CallOptions } from '../contract/backend.js'
import type { Calls } from '../contract/calls.js'
import type { TextStore } from '../contract/text.js'
import { deadCore } from '../core/load.js'
import { loadPart } from '../core/parts.js'
import { NidusError, closedError, messageOf } from '../errors/errors.js'
import { inTime } from '../runtime/schedule.js'
import { runtime } from '../runtime/configure.js'
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
  readonly #drops = new Map<string, number>()

  constructor(open: OpenCore, closing: () => boolean) {
    this.#open = open
    this.#closing = closing
  }

  /** True once the module is used. Its reads take several turns of the event loop. */
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
      throw new NidusError(
        'FAILED',
        `the part of the package that finds words could not be loaded: ${messageOf(cause)}`,
        { cause },
      )
    })
    return this.#loading
  }

  async #start(): Promise<TextStore> {
    const open = this.#open
    if (!runtime.text) throw new NidusError('UNSUPPORTED', 'this entry cannot find words')
    const [{ openText, module }] = await Promise.all([inTime(runtime.text()), loadPart('rest')])
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

  /** Notes that a collection is about to be dropped. Settings that were asked for before are then not set any more. */
  dropping(collection: string) {
    this.#drops.set(collection, this.#dropsOf(collection) + 1)
  }

  #dropsOf(collection: string) {
    return this.#drops.get(collection) ?? 0
  }

  /**
   * Sets the settings of a collection's texts. `commit` runs a step that stages a write, and makes the write durable,
   * in the order of the writes.
   */
  async setText(
    { collection, text }: Calls['setText']['args'],
    options: CallOptions,
    commit: (stage: () => string) => Promise<unknown>,
  ): Promise<void> {
    const drops = this.#dropsOf(collection)
    const dropped = () => this.#dropsOf(collection) !== drops
    return (await this.#load()).setText(collection, text, options, dropped, commit)
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
