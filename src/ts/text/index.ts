import type { CallOptions } from '../contract/backend.js'
import type { QueryArgs, QueryHits } from '../contract/query.js'
import type { TextFootprint, TextStore } from '../contract/text.js'
import type { TextHost } from '../engine/text-host.js'
import { NidusError, aborted } from '../errors/errors.js'
import { hasBackground, sleep } from '../runtime/schedule.js'
import type { TextSettings } from '../types/index.js'
import { Follower } from './follower.js'
import { both, facet, groupsOf, type Ranking } from './groups.js'
import { hitsOf, type Found } from './hits.js'
import { byRanks, byWeights } from './hybrid.js'
import { has } from './ranked.js'
import { encodeSettings, withSettings } from './settings.js'
import { initSync } from './text-core.js'
import { matching, nearest } from './vectors.js'
import { Words } from './words.js'

/** Changes are read in the background so long after a commit, in milliseconds: another commit may follow. */
const QUIET_MS = 50

/** So many new documents take longer than a slice. */
const MANY = 500

let loaded = false

/** Makes the indexes of a store. `wasm` is nidus-text.wasm. */
export const openText = (host: TextHost, wasm: WebAssembly.Module): TextStore => {
  if (!loaded) initSync({ module: wasm })
  loaded = true
  return new Texts(host)
}

class Texts implements TextStore {
  readonly #host: TextHost
  readonly #follower: Follower
  /** True while a turn of the background is waited for. */
  #due = false
  #freed = false

  constructor(host: TextHost) {
    this.#host = host
    this.#follower = new Follower(host)
    this.wrote()
  }

  wrote() {
    this.#follower.wrote()
    if (!hasBackground || this.#due) return
    this.#due = true
    void this.#follow().catch(() => {})
  }

  async #follow() {
    await sleep(QUIET_MS)
    this.#due = false
    if (this.#freed) return
    const between = () => this.#check(undefined)
    await this.#follower.follow(between)
    await this.#follower.settle(between)
  }

  /** Throws if there is nothing to go on for. */
  #check(signal: AbortSignal | undefined) {
    if (this.#freed) throw new NidusError('CLOSED', 'the store is closed')
    this.#host.check()
    if (signal?.aborted) throw aborted(signal)
  }

  async query(args: QueryArgs, signal: AbortSignal | undefined): Promise<QueryHits> {
    const between = () => this.#check(signal)
    // Most of it is done before, so that writes do not wait.
    if (args.text !== undefined) {
      const many = this.#follower.behind > MANY
      await this.#follower.follow(between)
      // A search takes in a few new documents at once. Many are taken in slices.
      if (many) await this.#follower.settle(between)
    }
    const { store, run } = this.#host
    const only = args.collections?.length === 1 ? args.collections[0] : undefined
    const slow = args.filter.length > 0 ? run(() => store.matching(only, args.filter, false)) : undefined
    return this.#host.reading(async () => {
      between()
      if (slow) await this.#host.match(slow, signal)
      if (args.text !== undefined) await this.#follower.follow(between)
      return this.#answer(args, signal)
    })
  }

  async #answer(args: QueryArgs, signal: AbortSignal | undefined): Promise<QueryHits> {
    const host = this.#host
    const words = args.text === undefined ? undefined : Words.of(host, args, this.#follower.indexes)
    try {
      const among = words || args.facets ? matching(host, args) : undefined
      const ranking = rankingOf(host, args, words, among, signal)
      const { groupBy, offset, topK } = args
      const grouped =
        groupBy && (await groupsOf(host, ranking, groupBy, offset, topK, words !== undefined && args.fusion === 'rrf'))
      const found = grouped?.found ?? slice(await ranking(Math.min(offset + topK, 0xffffffff)), offset)
      const hits = await hitsOf(host, args, words, found, signal)
      hits.groups = grouped?.groups
      hits.facets = args.facets && this.#facets(args, args.facets, words, among)
      return hits
    } finally {
      words?.free()
    }
  }

  #facets(
    args: QueryArgs,
    wanted: { [key: string]: number },
    words: Words | undefined,
    among: Uint16Array | undefined,
  ) {
    const host = this.#host
    const within = (doc: number) => !among || has(among, doc) === 1
    const docs = words ? words.all(among).docs : this.#follower.documents().filter(within)
    return Object.fromEntries(
      Object.entries(wanted).map(([key, limit]) => [key, facet(host, docs, key, limit, args.collections)]),
    )
  }

  async setText(
    collection: string,
    settings: TextSettings | undefined,
    { signal, onProgress }: CallOptions,
    commit: (change: (meta: Uint8Array) => Uint8Array) => Promise<void>,
  ) {
    if (!settings) {
      await commit((meta) => withSettings(meta, undefined))
      return this.wrote()
    }
    const source = encodeSettings(settings)
    const indexed = this.#follower.begin(collection, source)
    try {
      await this.#follower.complete(indexed, (done, total) => {
        this.#check(signal)
        onProgress?.(done, total)
      })
      await commit((meta) => withSettings(meta, source))
    } finally {
      if (!this.#freed) this.#follower.end(indexed)
    }
  }

  footprint(): TextFootprint {
    return this.#follower.footprint()
  }

  free() {
    this.#freed = true
    this.#follower.free()
  }
}

function rankingOf(
  host: TextHost,
  args: QueryArgs,
  words: Words | undefined,
  among: Uint16Array | undefined,
  signal: AbortSignal | undefined,
): Ranking {
  const { vector, fusion, minScore } = args
  const rank = async (most: number): Promise<Found> => {
    if (most === 0) return { docs: new Uint32Array(0), scores: new Float64Array(0) }
    if (words && vector)
      return fusion === 'rrf'
        ? byRanks(host, args, words, most, among, signal)
        : byWeights(host, args, words, fusion, most, among, signal)
    if (words) {
      const found = words.best(most, among)
      return { ...found, textScores: found.scores }
    }
    if (!vector) return { docs: new Uint32Array(0), scores: new Float64Array(0) }
    const found = await nearest(host, args, vector, most, signal)
    return { ...found, vectorScores: found.scores }
  }
  return async (most, only) => {
    if (only) {
      const narrowed = { ...args, filter: both(args.filter, only) }
      return rankingOf(host, narrowed, words, words && matching(host, narrowed), signal)(most)
    }
    const found = await rank(most)
    const reach = Number.isNaN(minScore) ? -1 : found.scores.findIndex((score) => score < minScore)
    return reach < 0 ? found : slice(found, 0, reach)
  }
}

const slice = (found: Found, from: number, to?: number): Found => ({
  docs: found.docs.slice(from, to),
  scores: found.scores.slice(from, to),
  ...(found.vectorScores && { vectorScores: found.vectorScores.slice(from, to) }),
  ...(found.textScores && { textScores: found.textScores.slice(from, to) }),
})
