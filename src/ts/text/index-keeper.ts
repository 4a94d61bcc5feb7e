import { TEXT_KEY, type TextFootprint } from '../contract/text.js'
import type { TextHost } from '../engine/text-host.js'
import { Reader, decodeMeta, encodeIds } from '../core/wire.js'
import type { TextSettings } from '../types/index.js'
import type { Documents, Listener } from './documents.js'
import { Pace } from './pace.js'
import { decodeSettings, hasFields } from './settings.js'
import { readDocuments } from './store-documents.js'
import { TextIndex } from './text-core.js'

/** The index of one collection. `failure` says why its settings cannot be used. */
export class Indexed {
  readonly collection: string
  #source: string
  #settings: TextSettings
  readonly names: string[]
  readonly index: TextIndex
  /** The index has read all documents with a lower number than this. */
  seen = 0

  /** `made` is an existing index with the names of its fields. Default: a new, empty index. */
  constructor(collection: string, source: string, made?: { names: string[]; index: TextIndex }) {
    this.collection = collection
    this.#source = source
    this.#settings = decodeSettings(collection, source)
    this.names = made?.names ?? Object.keys(this.#settings)
    this.index = made?.index ?? new TextIndex(collection, this.names.length, encodeIds(this.names))
  }

  /** The settings in the form that the metadata have. */
  get source() {
    return this.#source
  }

  get settings() {
    return this.#settings
  }

  /**
   * Takes settings that have the same fields and other weights. Weights count only when words are searched, so the
   * index stays. Returns false if the settings do not fit.
   */
  reweigh(source: string): boolean {
    try {
      const settings = decodeSettings(this.collection, source)
      if (!hasFields(settings, this.names)) return false
      this.#source = source
      this.#settings = settings
      return true
    } catch {
      return false
    }
  }
}

/**
 * Keeps the indexes of a store up to date with its documents. The core tells which documents have changed. They are
 * read in the background, or when a search needs them.
 */
export class IndexKeeper implements Listener {
  readonly #host: TextHost
  readonly #documents: Documents
  /** The indexes, by collection. An error stands for an index whose settings cannot be used. */
  readonly #indexes = new Map<string, Indexed | Error>()
  /** Indexes with new settings, which are not used yet. */
  readonly #aside = new Set<Indexed>()
  /** The changed documents that the indexes must read again. */
  readonly #changed = new Set<number>()
  readonly #pace = new Pace()
  /** How many documents were read or written since the indexes were saved. */
  unsaved = 0
  /** True between `await` and `take`. */
  #awaiting = false
  /** The number of the commit after which the metadata were read. 0: they must be read. */
  #looked = 0

  constructor(host: TextHost, documents: Documents) {
    this.#host = host
    this.#documents = documents
    documents.listen(this)
  }

  reset() {
    for (const indexed of this.#all()) indexed.seen = 0
    this.#changed.clear()
    this.#awaiting = false
  }

  changed(doc: number, sameTexts: boolean) {
    if (sameTexts) {
      // An opening reads every document that was written since the indexes were saved.
      this.unsaved++
      return
    }
    if (this.#awaiting) this.#changed.add(doc)
    // An index that has not read the document yet will read it in its turn.
    for (const { seen } of this.#all()) if (doc < seen) this.#changed.add(doc)
  }

  /**
   * Begins to wait for indexes that are loaded from the derived file. They have the documents as they are now. `take`
   * or `giveUp` ends the waiting.
   */
  await() {
    this.#awaiting = true
  }

  /** Ends the waiting without indexes. */
  giveUp() {
    this.#awaiting = false
    this.#changed.clear()
  }

  /**
   * Takes the loaded indexes. They have the documents before `end`, except those in `unread`. Returns false if there
   * are no indexes, or if any document may have changed.
   */
  take(indexes: Indexed[], end: number, unread: Uint32Array): boolean {
    this.#documents.look()
    if (!this.#awaiting || indexes.length === 0) return false
    this.#awaiting = false
    this.#looked = 0
    for (const indexed of indexes) {
      indexed.seen = end
      this.#indexes.set(indexed.collection, indexed)
    }
    for (const doc of unread) this.#changed.add(doc)
    return true
  }

  /** The index of each collection that has settings. Up to date after `catchUp`. */
  get indexes(): ReadonlyMap<string, Indexed | Error> {
    return this.#indexes
  }

  /** Notes what has changed. Reads no documents. */
  look() {
    this.#documents.look()
    if (this.#looked !== this.#documents.commits) this.#readSettings()
    this.#looked = this.#documents.commits
  }

  /** The indexes in use. */
  *used() {
    for (const indexed of this.#indexes.values()) if (indexed instanceof Indexed) yield indexed
  }

  *#all() {
    yield* this.used()
    yield* this.#aside
  }

  #readSettings() {
    const sources = settingsIn(this.#host)
    for (const [name, indexed] of this.#indexes) {
      const source = sources.get(name)
      if (indexed instanceof Indexed && source !== undefined && (source === indexed.source || indexed.reweigh(source)))
        continue
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

  /** Returns whether the index in use has these fields. Then a change of weights needs no other index. */
  fits(collection: string, settings: TextSettings): boolean {
    this.look()
    const indexed = this.#indexes.get(collection)
    return indexed instanceof Indexed && hasFields(settings, indexed.names)
  }

  /** True if the indexes in use are up to date. */
  get current(): boolean {
    this.look()
    return this.behind === 0
  }

  /** The number of documents that are still to be read. Counts for the index in use that has the most to read. */
  get behind(): number {
    let most = 0
    for (const { seen } of this.used()) most = Math.max(most, this.#documents.end - seen)
    return most + this.#changed.size
  }

  /**
   * Reads documents until the indexes in use are up to date. Lets other work run after each slice, and then calls
   * `between`.
   */
  catchUp(between: () => void): Promise<void> {
    return this.#pace.steps(() => {
      this.look()
      const [first] = [...this.used()].sort((a, b) => a.seen - b.seen)
      if (!first) {
        // An index that is not in use yet must still read what has changed since it read it first.
        if (this.#aside.size === 0) this.#changed.clear()
        return true
      }
      if (first.seen < this.#documents.end) this.#readNext([...this.used()].filter(({ seen }) => seen === first.seen))
      else if (this.#changed.size > 0) this.#readChanged()
      else return true
      return false
    }, between)
  }

  /** Does the pending work of the indexes, so that the next search need not do it. */
  settle(between: () => void): Promise<void> {
    return this.#pace.steps(() => [...this.used()].every(({ index }) => index.step()), between)
  }

  /** Reads all documents for an index that is not in use yet. */
  complete(indexed: Indexed, between: (done: number, total: number) => void): Promise<void> {
    return this.#pace.steps(
      () => {
        this.look()
        if (indexed.seen < this.#documents.end) this.#readNext([indexed])
        else if (this.#changed.size > 0) this.#readChanged()
        return indexed.seen >= this.#documents.end && this.#changed.size === 0 && indexed.index.step()
      },
      () => between(indexed.seen, this.#documents.end),
    )
  }

  /** Reads the next documents, for indexes that have read up to the same number. */
  #readNext(indexes: Indexed[]) {
    const from = indexes[0].seen
    const count = Math.min(this.#pace.size, this.#documents.end - from)
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
      if (docs.length === this.#pace.size) break
    }
    this.#read(Uint32Array.from(docs), [...this.#all()])
    for (const doc of docs) this.#changed.delete(doc)
  }

  #read(docs: Uint32Array, indexes: Indexed[]) {
    this.unsaved += docs.length
    const names = new Set(indexes.flatMap(({ names }) => names))
    this.#pace.timed(docs.length, () => {
      const wire = readDocuments(this.#host, docs, [...names])
      for (const { index } of indexes) index.put(docs, wire)
    })
  }

  /** Makes an index with other settings beside the one in use. Call `end` with it afterwards. */
  begin(collection: string, source: string): Indexed {
    this.#looked = 0
    const indexed = new Indexed(collection, source)
    this.#aside.add(indexed)
    return indexed
  }

  /**
   * Ends what `begin` began. If the metadata have the settings of the index now, the index is used from now on.
   * Otherwise it is dropped.
   */
  end(indexed: Indexed) {
    this.#looked = 0
    this.look()
    if (this.#aside.delete(indexed)) indexed.index.free()
  }

  footprint(): TextFootprint {
    this.look()
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

/** Returns the settings of all collections that have some, in the form that the metadata have. */
export function settingsIn({ store, run }: TextHost): Map<string, string> {
  const sources = new Map<string, string>()
  for (const name of new Reader(run(() => store.collections())).strings()) {
    const source = decodeMeta(run(() => store.getMeta(name)))[TEXT_KEY]
    if (source !== undefined) sources.set(name, source)
  }
  return sources
}
