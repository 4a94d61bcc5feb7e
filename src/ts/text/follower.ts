import { TEXT_KEY, type TextFootprint } from '../contract/text.js'
import type { TextHost } from '../engine/text-host.js'
import { Reader, decodeMeta, encodeIds } from '../core/wire.js'
import { breathe } from '../runtime/schedule.js'
import type { TextSettings } from '../types/index.js'
import { decodeSettings } from './settings.js'
import { TextIndex } from './text-core.js'

/** Milliseconds of work between two turns of the event loop. */
const SLICE_MS = 8
/** The most documents that are read at once. */
const MOST = 4096

/** The index of one collection. `failure` says why its settings cannot be used. */
export class Indexed {
  readonly collection: string
  readonly source: string
  readonly settings: TextSettings
  readonly names: string[]
  readonly index: TextIndex
  /** The documents before this number were read for it. */
  seen = 0

  constructor(collection: string, source: string) {
    this.collection = collection
    this.source = source
    this.settings = decodeSettings(collection, source)
    this.names = Object.keys(this.settings)
    this.index = new TextIndex(collection, this.names.length, encodeIds(this.names))
  }
}

/**
 * Keeps the indexes of a store as its documents are. The core tells which documents have changed. They are read when a
 * search needs them, and before that in the background.
 */
export class Follower {
  readonly #host: TextHost
  /** By collection. An error instead of an index: its settings cannot be used. */
  readonly #indexes = new Map<string, Indexed | Error>()
  /** Indexes with new settings, which are not used yet. */
  readonly #aside = new Set<Indexed>()
  /** Greater than the number of any document. */
  #end = 0
  /** Documents that changed. */
  #changed = new Set<number>()
  /** True if there was a commit since the metadata were looked at. */
  #dirty = true
  /** How many documents are read at once so that a slice takes its time and no longer. */
  #pace = 64

  constructor(host: TextHost) {
    this.#host = host
  }

  wrote() {
    this.#dirty = true
  }

  /** The index of each collection that has settings, after `follow`. */
  get indexes(): ReadonlyMap<string, Indexed | Error> {
    return this.#indexes
  }

  /** Takes note of what has changed. Reads no documents. */
  #look() {
    if (!this.#dirty) return
    this.#dirty = false
    const { store, run } = this.#host
    const touched = run(() => store.documents())
    const numbers = new Uint32Array(touched.buffer, touched.byteOffset, touched.byteLength / 4)
    const all = numbers[0] === 1
    if (all) for (const indexed of this.#all()) indexed.seen = 0
    for (let i = 1; i < numbers.length; i++) {
      this.#end = Math.max(this.#end, numbers[i] + 1)
      if (!all) this.#changed.add(numbers[i])
    }
    if (all) this.#changed.clear()
    this.#readSettings()
  }

  *#used() {
    for (const indexed of this.#indexes.values()) if (indexed instanceof Indexed) yield indexed
  }

  *#all() {
    yield* this.#used()
    yield* this.#aside
  }

  #readSettings() {
    const { store, run } = this.#host
    const names = new Reader(run(() => store.collections())).strings()
    const sources = new Map<string, string>()
    for (const name of names) {
      const source = decodeMeta(run(() => store.getMeta(name)))[TEXT_KEY]
      if (source !== undefined) sources.set(name, source)
    }
    for (const [name, indexed] of this.#indexes) {
      if (indexed instanceof Indexed && sources.get(name) === indexed.source) continue
      if (indexed instanceof Indexed) indexed.index.free()
      this.#indexes.delete(name)
    }
    for (const [name, source] of sources) {
      if (this.#indexes.has(name)) continue
      const ready = [...this.#aside].find((indexed) => indexed.collection === name && indexed.source === source)
      this.#indexes.set(name, ready ?? begun(name, source))
      if (ready) this.#aside.delete(ready)
    }
  }

  /** All numbers that documents may have. */
  documents(): Uint32Array {
    this.#look()
    return Uint32Array.from({ length: this.#end }, (_, doc) => doc)
  }

  /** How many documents are still to be read, for the index in use that has the most before it. */
  get behind(): number {
    let most = 0
    for (const { seen } of this.#used()) most = Math.max(most, this.#end - seen)
    return most + this.#changed.size
  }

  /**
   * Reads documents until the indexes in use are as the store is. Lets everything else have its turn meanwhile, and
   * calls `between` after each turn.
   */
  follow(between: () => void): Promise<void> {
    return this.#inSlices(() => {
      this.#look()
      const [first] = [...this.#used()].sort((a, b) => a.seen - b.seen)
      if (!first) this.#changed.clear()
      else if (first.seen < this.#end) this.#readNext([...this.#used()].filter(({ seen }) => seen === first.seen))
      else if (this.#changed.size > 0) this.#readChanged()
      else return true
      return !first
    }, between)
  }

  /** Does the work of the indexes that waits, so that the next search need not do it. */
  settle(between: () => void): Promise<void> {
    return this.#inSlices(() => [...this.#used()].every(({ index }) => index.step()), between)
  }

  /** Reads all documents for an index that is not in use yet. */
  complete(indexed: Indexed, between: (done: number, total: number) => void): Promise<void> {
    return this.#inSlices(
      () => {
        this.#look()
        if (indexed.seen < this.#end) this.#readNext([indexed])
        else if (this.#changed.size > 0) this.#readChanged()
        return indexed.seen >= this.#end && this.#changed.size === 0 && indexed.index.step()
      },
      () => between(indexed.seen, this.#end),
    )
  }

  async #inSlices(step: () => boolean, between: () => void) {
    let until = performance.now() + SLICE_MS
    while (!step()) {
      if (performance.now() < until) continue
      await breathe()
      between()
      until = performance.now() + SLICE_MS
    }
  }

  /** Reads the next documents for indexes that have come equally far. */
  #readNext(indexes: Indexed[]) {
    const from = indexes[0].seen
    const count = Math.min(this.#pace, this.#end - from)
    this.#read(
      Uint32Array.from({ length: count }, (_, i) => from + i),
      indexes,
    )
    for (const indexed of indexes) indexed.seen = from + count
  }

  #readChanged() {
    const docs: number[] = []
    for (const doc of this.#changed) {
      docs.push(doc)
      if (docs.length === this.#pace) break
    }
    this.#read(Uint32Array.from(docs), [...this.#all()])
    for (const doc of docs) this.#changed.delete(doc)
  }

  #read(docs: Uint32Array, indexes: Indexed[]) {
    const { store, run } = this.#host
    const began = performance.now()
    const names = new Set(indexes.flatMap(({ names }) => names))
    const wire = run(() => store.documents(docs, encodeIds([...names])))
    for (const { index } of indexes) index.put(docs, wire)
    const took = performance.now() - began
    if (took > SLICE_MS / 2) this.#pace = Math.max(1, this.#pace >> 1)
    else if (docs.length === this.#pace && took < SLICE_MS / 8) this.#pace = Math.min(MOST, this.#pace * 2)
  }

  /** Makes an index with other settings beside the one that is used. Call `end` with it at the end. */
  begin(collection: string, source: string): Indexed {
    this.#dirty = true
    const indexed = new Indexed(collection, source)
    this.#aside.add(indexed)
    return indexed
  }

  /** Ends `begin`. If the metadata have its settings now, the index is used from now on. Otherwise it is dropped. */
  end(indexed: Indexed) {
    this.#dirty = true
    this.#look()
    if (this.#aside.delete(indexed)) indexed.index.free()
  }

  footprint(): TextFootprint {
    this.#look()
    let bytes = 0
    let terms = 0
    for (const { index } of this.#all()) {
      bytes += index.bytes
      terms += index.terms
    }
    return { bytes, terms, behind: this.behind }
  }

  free() {
    for (const { index } of this.#all()) index.free()
    this.#indexes.clear()
    this.#aside.clear()
  }
}

function begun(collection: string, source: string): Indexed | Error {
  try {
    return new Indexed(collection, source)
  } catch (error) {
    return error as Error
  }
}
