import type { CallOptions } from '../contract/backend.js'
import type { Condition, Counted, QueryArgs, QueryHits } from '../contract/query.js'
import { CREATE_WITH_TEXT } from '../contract/changes.js'
import type { TextFootprint, TextStore } from '../contract/text.js'
import type { TextHost } from '../engine/text-host.js'
import { NidusError, aborted, messageOf } from '../errors/errors.js'
import { hasBackground, sleep, unref } from '../runtime/schedule.js'
import { Columns } from './columns.js'
import { Saver } from './derived/saver.js'
import { derivedOf } from './derived/where.js'
import { Documents } from './documents.js'
import { countTypes } from './explain.js'
import { facet } from './facets.js'
import { IndexKeeper, settingsIn } from './index-keeper.js'
import { ALL, groupsOf, type Ranking } from './groups.js'
import { hitsOf, vectorsOf } from './hits.js'
import { FirstById } from './first-by-id.js'
import { inScope, listed } from './listing.js'
import { named } from './names.js'
import { InOrder } from './in-order.js'
import { rankingOf, slice } from './ranking.js'
import { encodeSettings, settingsOf, withSettings } from './settings.js'
import { initSync } from './text-core.js'
import { matching } from './vectors.js'
import { Words } from './words.js'

/**
 * The derived file is written this long after a commit that makes it due, in milliseconds. After each failure the wait
 * is twice as long.
 */
const SAVE_MS = 1000
/** The number of attempts in a row. */
const TRIES = hasBackground ? 6 : 1

/** Changes are read in the background this long after a commit, in milliseconds, because another commit may follow. */
const QUIET_MS = 50

const NOTHING: QueryHits = {
  wire: new Uint8Array(0),
  scores: new Float64Array(0),
  vectorScores: undefined,
  textScores: undefined,
  vectors: undefined,
  matches: undefined,
  snippets: undefined,
  groups: undefined,
  facets: undefined,
}

/** With more new documents than this, taking them into the index takes longer than a slice. */
const MANY = 500

let loading: Promise<void> | undefined

/** Loads the wasm, once for all stores. */
function loadWasm(wasm: () => Promise<WebAssembly.Module>): Promise<void> {
  loading ??= wasm().then(
    (module) => void initSync({ module }),
    (cause: unknown) => {
      loading = undefined
      throw new NidusError('FAILED', `the module that finds words could not be loaded: ${messageOf(cause)}`, { cause })
    },
  )
  return loading
}

/** Makes the indexes of a store. `wasm` loads nidus-text.wasm. */
export const openText = (host: TextHost, wasm: () => Promise<WebAssembly.Module>): TextStore => new Texts(host, wasm)

class Texts implements TextStore {
  readonly #host: TextHost
  readonly #wasm: () => Promise<WebAssembly.Module>
  readonly #documents: Documents
  readonly #keeper: IndexKeeper
  readonly #columns: Columns
  readonly #firstById: FirstById
  readonly #setting = new InOrder()
  /** The documents of the collections that were asked for last without a filter. */
  #scoped: { key: string; docs: Uint32Array } = { key: '', docs: new Uint32Array(0) }
  readonly #saver: Saver | undefined
  #starting: Promise<void> | undefined
  /** True while the derived file waits to be written. */
  #saves = false
  /** True once words can be searched. */
  #ready = false
  /** True while a turn of the background is waited for. */
  #due = false
  #freed = false

  constructor(host: TextHost, wasm: () => Promise<WebAssembly.Module>) {
    this.#host = host
    this.#wasm = wasm
    this.#documents = new Documents(host)
    this.#keeper = new IndexKeeper(host, this.#documents)
    this.#columns = new Columns(host, this.#documents)
    this.#firstById = new FirstById(host)
    this.#documents.listen(this.#firstById)
    const derived = derivedOf(host.open.host)
    this.#saver = derived && new Saver(host, derived, this.#documents, this.#keeper)
    if (settingsIn(host).size > 0)
      void this.#start(undefined)
        .then(() => this.wrote())
        .catch(() => {})
  }

  /** Loads the wasm and the indexes. Lists and searches for vectors do not need them. */
  async #start(signal: AbortSignal | undefined) {
    this.#starting ??= this.#load().catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    await this.#starting
    this.#check(signal)
  }

  async #load() {
    const between = () => this.#check(undefined)
    await loadWasm(this.#wasm)
    between()
    await this.#saver?.load(between)
    between()
    this.#ready = true
  }

  wrote() {
    this.#documents.wrote()
    if (!hasBackground || this.#due || !this.#ready) return
    this.#due = true
    void this.#follow().catch(() => {})
  }

  async #follow() {
    await sleep(QUIET_MS)
    this.#due = false
    if (this.#freed) return
    await this.#catchUp()
    void this.#save(SAVE_MS)
  }

  async #catchUp() {
    const between = () => this.#check(undefined)
    await this.#keeper.catchUp(between)
    if (!this.#saver?.busy) await this.#keeper.settle(between)
  }

  /** Writes the derived file, if that is due. A search after a write ends the writing. Then it is tried again. */
  async #save(wait: number) {
    const saver = this.#saver
    if (!saver || this.#saves) return
    this.#saves = true
    try {
      for (let tries = 0; tries < TRIES && saver.due; tries++) {
        await pause(wait * 2 ** tries)
        if (this.#freed) return
        await this.#catchUp()
        await saver.save().catch(() => {})
      }
    } catch {
      // The store was closed or has failed.
    } finally {
      this.#saves = false
    }
  }

  /** Throws if the store is closed or has failed, or if the signal is aborted. */
  #check(signal: AbortSignal | undefined) {
    if (this.#freed) throw new NidusError('CLOSED', 'the store is closed')
    this.#host.check()
    if (signal?.aborted) throw aborted(signal)
  }

  async query(args: QueryArgs, signal: AbortSignal | undefined): Promise<QueryHits> {
    const hits = await this.#query(args, signal)
    // Where there is no background, the writing goes on for a moment after the answer.
    if (!hasBackground && this.#ready) void this.#save(0)
    return hits
  }

  async #query(args: QueryArgs, signal: AbortSignal | undefined): Promise<QueryHits> {
    const between = () => this.#check(signal)
    if (args.text !== undefined) await this.#start(signal)
    // Most of the reading is done here, before writes have to wait.
    await this.#prepare(args, between)
    const { store, run } = this.#host
    const only = args.collections?.length === 1 ? args.collections[0] : undefined
    const slow = args.filter.length > 0 ? run(() => store.matching(only, args.filter, false)) : undefined
    return this.#host.reading(async () => {
      between()
      if (slow) await this.#host.match(slow, signal)
      if (args.text !== undefined) await this.#keeper.catchUp(between)
      const hits = await (args.orderBy ? this.#list(args, between, signal) : this.#answer(args, between, signal))
      if (args.explain) hits.explain = await this.#explain(args, args.explain, between)
      return hits
    })
  }

  /** Brings the columns and the indexes that the question needs up to date. */
  async #prepare(args: QueryArgs, between: () => void) {
    const { text, facets, orderBy, groupBy, explain } = args
    if (facets || orderBy || explain) await this.#columns.ofCollections(between)
    for (const key of Object.keys(facets ?? {})) await this.#columns.of(key, between)
    if (groupBy) await this.#columns.of(groupBy.key, between)
    for (const { key } of [...(orderBy ?? []), ...(explain ?? [])]) await this.#columns.of(key, between)
    if (text === undefined) return
    const many = this.#keeper.behind > MANY
    await this.#keeper.catchUp(between)
    // A search takes in a few new documents by itself. Many are taken in beforehand, in slices.
    if (many) await this.#keeper.settle(between)
  }

  async #answer(asked: QueryArgs, between: () => void, signal: AbortSignal | undefined): Promise<QueryHits> {
    const host = this.#host
    const { like } = asked
    if (asked.statistics === 'own') return { ...NOTHING, statistics: Words.count(host, asked, this.#keeper.indexes) }
    const args = like && !asked.vector ? { ...asked, vector: await vectorOf(host, like, signal) } : asked
    const words = args.text === undefined ? undefined : Words.of(host, args, this.#keeper.indexes)
    try {
      const { groupBy, offset, topK } = args
      const among = words || args.facets || args.only ? matching(host, args) : undefined
      const ranking = rankingOf(host, args, words, among, signal)
      if (args.only) {
        const docs = named(host, await this.#scope(args, among, between), args.only)
        return await hitsOf(host, args, words, { docs, scores: new Float64Array(docs.length) }, signal)
      }
      const grouped = groupBy && (await this.#groups(args, groupBy, ranking, words, between))
      const found = grouped?.found ?? slice(await ranking(Math.min(offset + topK, ALL)), offset)
      const hits = await hitsOf(host, args, words, found, signal)
      hits.groups = grouped?.groups
      hits.facets = args.facets && (await this.#facets(args, args.facets, words, among, between))
      return hits
    } finally {
      words?.free()
    }
  }

  async #groups(
    args: QueryArgs,
    { key, size }: { key: string; size: number },
    ranking: Ranking,
    words: Words | undefined,
    between: () => void,
  ) {
    const { offset, topK, vector, fusion } = args
    const column = await this.#columns.of(key, between)
    const whole = words !== undefined && vector !== undefined && fusion === 'rrf'
    return groupsOf(ranking, column, { size, offset, topK, whole })
  }

  async #facets(
    args: QueryArgs,
    wanted: { [key: string]: number },
    words: Words | undefined,
    among: Uint16Array | undefined,
    between: () => void,
  ) {
    const docs = words ? words.all(among).docs : await this.#scope(args, among, between)
    const facets: NonNullable<QueryHits['facets']> = {}
    for (const [key, limit] of Object.entries(wanted)) {
      const value = facet(await this.#columns.of(key, between), docs, limit)
      Object.defineProperty(facets, key, { value, enumerable: true })
    }
    return facets
  }

  async #explain(args: QueryArgs, conditions: Condition[], between: () => void): Promise<Counted[]> {
    const docs = await this.#scope(args, undefined, between)
    const counted: Counted[] = []
    for (const condition of conditions)
      counted.push({ ...condition, counts: countTypes(await this.#columns.of(condition.key, between), docs) })
    return counted
  }

  /** Returns the documents of the question's collections that match its filter. The caller must not change them. */
  async #scope({ collections }: QueryArgs, among: Uint16Array | undefined, between: () => void): Promise<Uint32Array> {
    const column = await this.#columns.ofCollections(between)
    if (among) return inScope(column, collections, among)
    const key = JSON.stringify([this.#documents.commits, collections])
    if (this.#scoped.key !== key) this.#scoped = { key, docs: inScope(column, collections, undefined) }
    return this.#scoped.docs
  }

  async #list(args: QueryArgs, between: () => void, signal: AbortSignal | undefined): Promise<QueryHits> {
    const docs = await this.#scope(args, matching(this.#host, args), between)
    const all = await this.#scope(args, undefined, between)
    const [collection] = args.collections!
    const byId = (some: Uint32Array, most: number) => this.#firstById.of(collection, some, most, all)
    const found = await listed(this.#columns, args, docs, byId, between)
    return hitsOf(this.#host, args, undefined, found, signal)
  }

  setText(
    collection: string,
    text: string,
    { signal, onProgress }: CallOptions,
    dropped: () => boolean,
    commit: (stage: () => string) => Promise<unknown>,
  ): Promise<void> {
    const { store } = this.#host
    const set = (source: string | undefined) =>
      commit(() => {
        if (dropped()) throw new NidusError('ABORTED', `setText: the collection "${collection}" was dropped meanwhile`)
        const method = store.hasCollection(collection) ? 'setText' : CREATE_WITH_TEXT
        store.stageSetMeta(collection, withSettings(store.getMeta(collection), source))
        return method
      })
    return this.#setting.after(collection, signal, async () => {
      const given: unknown = JSON.parse(text)
      const settings = given === null ? undefined : settingsOf(given)
      await this.#start(signal)
      const source = settings && encodeSettings(settings)
      if (settingsIn(this.#host).get(collection) === source) return
      if (!source || this.#keeper.fits(collection, settings)) {
        await set(source)
        return this.wrote()
      }
      const indexed = this.#host.run(() => this.#keeper.begin(collection, source))
      try {
        await this.#keeper.complete(indexed, (done, total) => {
          this.#check(signal)
          onProgress?.(done, total)
        })
        await set(source)
      } finally {
        if (!this.#freed) this.#keeper.end(indexed)
      }
      onProgress?.(indexed.seen, indexed.seen)
    })
  }

  footprint(): TextFootprint | undefined {
    return this.#ready ? this.#keeper.footprint() : undefined
  }

  async end() {
    this.#freed = true
    if (this.#ready) await this.#saver?.end()
    this.#keeper.free()
  }
}

/** Waits for some milliseconds, by a timer that does not keep the process alive. */
const pause = (time: number) => new Promise<void>((resolve) => void unref(setTimeout(resolve, time)))

/** Returns the vector of a record. */
async function vectorOf(
  host: TextHost,
  like: { collection: string; id: string },
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const vector = await vectorsOf(host, [like], signal)
  if (vector.length === 0)
    throw new NidusError(
      'NOT_FOUND',
      `there is no record ${JSON.stringify(like.id)} in the collection ${JSON.stringify(like.collection)}`,
    )
  return vector
}
