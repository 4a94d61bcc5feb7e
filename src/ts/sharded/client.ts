import type { Attrs, AttrsOf, Filter, Hit, RecordInput, SearchOptions, VectorRecord } from '../types/index.js'
import type { ShardedEnv, ShardedOptions } from '../types/sharded.js'
import { placeOf, type Layout } from './layout.js'
import { groupBy, parts, partsOfIds, settled, shardAt, ShardedError, type Answer, type Call, type Calls, type Sent, type Wanted } from './words.js'

const TRIES = 10
const COUNTS = 100

class Stale {
  constructor(readonly layout: Layout) {}
}

/** What is wrong with the question, not with a shard. */
const ASKED: ReadonlySet<string> = new Set(['INVALID_ARGUMENT', 'DIMENSION_MISMATCH', 'ABORTED'])

/** A store that is spread over many Durable Objects. It keeps nothing but how many these are: make one for each request, or keep it. */
export class ShardedNidus<A extends AttrsOf<A> = Attrs> {
  readonly name: string
  readonly dimension: number
  readonly #env: ShardedEnv
  readonly #first: number
  #layout: Promise<Layout> | undefined

  constructor(env: ShardedEnv, name: string, { dimension, shards = 4 }: ShardedOptions) {
    if (!env?.router || !env.shards) throw new ShardedError('INVALID_ARGUMENT', 'a sharded store wants the namespaces { router, shards }')
    if (typeof name !== 'string' || name === '') throw new ShardedError('INVALID_ARGUMENT', 'the name of a store is a string, and not empty')
    this.#env = env
    this.name = name
    this.dimension = dimension
    this.#first = shards
  }

  async upsert(collection: string, records: Iterable<RecordInput<A>>): Promise<void> {
    const sent = Array.from(records, (record) => this.#sent(record))
    await this.#by(async (layout) => {
      const groups = groupBy(last(sent), ({ id }) => placeOf(collection, id, layout.from))
      await this.#all([...groups], async ([index, group]) => {
        for (const part of parts(group)) await this.#ask(layout, index, 'upsert', collection, part)
      })
    })
  }

  async delete(collection: string, ids: Iterable<string>): Promise<number> {
    const all = [...new Set(ids)]
    // Over all tries: the second no longer finds what the first has deleted.
    let deleted = 0
    await this.#by(async (layout) => {
      const groups = groupBy(all, (id) => placeOf(collection, id, layout.from))
      await this.#all([...groups], async ([index, group]) => {
        const gone = await this.#ask(layout, index, 'delete', collection, group)
        deleted += gone
      })
    })
    return deleted
  }

  async deleteWhere(collection: string, filter: Filter<A>): Promise<number> {
    let deleted = 0
    await this.#by((layout) => this.#everywhere(layout, async (index) => {
      const gone = await this.#ask(layout, index, 'deleteWhere', collection, filter as Filter)
      deleted += gone
    }))
    return deleted
  }

  async get(collection: string, ids: Iterable<string>): Promise<(VectorRecord<A> | undefined)[]> {
    const all = [...ids]
    return this.#by(async (layout) => {
      const found: (VectorRecord<A> | undefined)[] = new Array(all.length).fill(undefined)
      const groups = groupBy(all.map((id, n) => ({ id, n })), ({ id }) => placeOf(collection, id, layout.from))
      await this.#all([...groups], async ([index, group]) => {
        for (const part of partsOfIds(group, this.dimension)) {
          const records = await this.#ask(layout, index, 'get', collection, part.map(({ id }) => id))
          part.forEach(({ n }, i) => (found[n] = (records[i] ?? undefined) as VectorRecord<A> | undefined))
        }
      })
      return found
    })
  }

  /** Exact over all shards, or an error that names those that did not answer. */
  async search(query: ArrayLike<number>, options: SearchOptions<A> = {}): Promise<Hit<A>[]> {
    return (await this.searchMany([query], options))[0]!
  }

  async searchMany(queries: ArrayLike<number>[], options: SearchOptions<A> = {}): Promise<Hit<A>[][]> {
    const { hits, missing, causes } = await this.#search(queries, options)
    if (missing.length) throw failure(missing, causes)
    return hits
  }

  /** What the shards that answer have; `missing`: those that do not. */
  async searchAvailable(query: ArrayLike<number>, options: SearchOptions<A> = {}): Promise<{ hits: Hit<A>[]; missing: number[] }> {
    const { hits, missing } = await this.#search([query], options)
    return { hits: hits[0]!, missing }
  }

  /** Of all shards at one moment: while the store grows it waits for one at which nothing is on its way, and is `BUSY` if none comes. */
  async count(): Promise<number> {
    return this.#by(async (layout) => {
      for (let tries = 0; tries < COUNTS; tries++) {
        const [before, after] = await this.#phases(layout, (index) => this.#ask(layout, index, 'count'))
        const total = sum([...before, ...after].map(({ count }) => count))
        if (layout.from === layout.to) return total
        const again = await this.#all(range(0, layout.from), (index) => this.#ask(layout, index, 'count'))
        if (again.every(({ moved }, i) => moved % 2 === 0 && moved === before[i]!.moved)) return total
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      throw new ShardedError('BUSY', 'records are on their way all the time')
    })
  }

  async collections(): Promise<string[]> {
    return this.#by(async (layout) => [...new Set((await this.#everywhere(layout, (index) => this.#ask(layout, index, 'collections'))).flat())].sort())
  }

  async compact(): Promise<void> {
    await this.#by((layout) => this.#everywhere(layout, (index) => this.#ask(layout, index, 'compact')))
  }

  /** How many shards there are, and what each says of itself. */
  async stats(): Promise<{ shards: number; growingTo: number | undefined; each: Record<string, unknown>[] }> {
    return this.#by(async (layout) => ({ shards: layout.from, growingTo: layout.from < layout.to ? layout.to : undefined, each: await this.#everywhere(layout, (index) => this.#ask(layout, index, 'stats')) }))
  }

  /** More shards. Goes on when the call is cut off, and when objects are restarted; asked for again, it waits for the end. */
  async grow(shards: number): Promise<void> {
    await this.#known()
    this.#layout = Promise.resolve(await this.#open(this.#router().grow(this.name, shards)))
  }

  async #search(queries: ArrayLike<number>[], options: SearchOptions<A>): Promise<{ hits: Hit<A>[][]; missing: number[]; causes: unknown[] }> {
    const vectors = queries.map((query) => this.#vector(query))
    const { topK = 10, minScore, filter, withVectors, collections, signal } = options
    return unlessAborted(signal, () => this.#by(async (layout) => {
      // What moved between two answers takes a place of a list's that a better one might have had: then longer lists are asked for.
      for (let asked = topK; ; asked *= 2) {
        const wanted: Wanted = { topK: asked, ...(minScore !== undefined && { minScore }), ...(filter && { filter: filter as Filter }), ...(withVectors && { withVectors }), ...(collections !== undefined && { collections: collections as string | string[] }) }
        const [missing, causes]: [number[], unknown[]] = [[], []]
        const ask = async (index: number): Promise<Hit<A>[][]> => {
          try {
            return (await this.#ask(layout, index, 'search', vectors, wanted)) as Hit<A>[][]
          } catch (error) {
            if (error instanceof Stale || (error instanceof ShardedError && ASKED.has(error.code))) throw error
            missing.push(index)
            causes.push(error)
            return vectors.map(() => [])
          }
        }
        const answers = (await this.#phases(layout, ask)).flat()
        const merged = vectors.map((_, which) => merge(answers.map((answer) => answer[which]!), topK, asked))
        if (merged.every((hits) => hits !== undefined)) return { hits: merged as Hit<A>[][], missing, causes }
      }
    }))
  }

  /** The old shards, then the new ones: a record that moves meanwhile is seen in one of them at least. */
  async #phases<T>(layout: Layout, work: (index: number) => Promise<T>): Promise<[T[], T[]]> {
    return [await this.#all(range(0, layout.from), work), await this.#all(range(layout.from, layout.to), work)]
  }
  async #everywhere<T>(layout: Layout, work: (index: number) => Promise<T>): Promise<T[]> {
    return (await this.#phases(layout, work)).flat()
  }

  /** With a newer layout all begins again, whatever else failed. */
  async #all<I, T>(items: I[], work: (item: I) => Promise<T>): Promise<T[]> {
    let stale: Stale | undefined
    const all = items.map((item) => work(item).catch((error: unknown) => {
      if (error instanceof Stale) stale = error
      throw error
    }))
    return settled(all).catch((error: unknown) => {
      throw stale ?? error
    })
  }

  /** By the layout that is known; with a newer one, if a shard has it. Everything that is done this way may be done twice. */
  async #by<T>(work: (layout: Layout) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const layout = await this.#known()
      try {
        return await work(layout)
      } catch (error) {
        if (!(error instanceof Stale)) throw error
        if (tries === TRIES) throw new ShardedError('BUSY', 'the store changes its shards all the time')
        this.#layout = Promise.resolve(error.layout)
      }
    }
  }

  #known(): Promise<Layout> {
    if (this.#layout) return this.#layout
    const asked = (this.#layout = this.#open(this.#router().layout(this.name, this.dimension, this.#first)))
    asked.catch(() => this.#layout === asked && (this.#layout = undefined))
    return asked
  }

  #router() {
    return this.#env.router.get(this.#env.router.idFromName(this.name))
  }

  async #ask<M extends Call>(layout: Layout, index: number, method: M, ...args: Parameters<Calls[M]>): Promise<ReturnType<Calls[M]>> {
    return this.#open(shardAt(this.#env.shards, this.name, index).call({ name: this.name, index, layout }, method, args), index) as Promise<ReturnType<Calls[M]>>
  }

  async #open<T>(answer: Promise<Answer<T>>, index?: number): Promise<T> {
    const shards = index === undefined ? [] : [index]
    let found: Answer<T>
    try {
      found = await answer
    } catch (error) {
      throw new ShardedError('SHARD_FAILED', `${index === undefined ? 'the router' : `shard ${index}`} did not answer: ${(error as Error)?.message ?? error}`, shards, { cause: error })
    }
    if ('stale' in found) throw new Stale(found.stale)
    if ('error' in found) throw new ShardedError(found.error.code, found.error.message, shards)
    return found.ok
  }

  #vector(vector: ArrayLike<number>): Float32Array {
    if (vector === null || typeof vector !== 'object' || vector.length !== this.dimension) throw new ShardedError('DIMENSION_MISMATCH', `a vector has ${this.dimension} numbers, not ${(vector as ArrayLike<number> | undefined)?.length}`)
    return Float32Array.from(vector)
  }

  #sent({ id, vector, attrs }: RecordInput<A>): Sent {
    if (typeof id !== 'string') throw new ShardedError('INVALID_ARGUMENT', `an id is a string, not ${typeof id}`)
    return { id, vector: this.#vector(vector), ...(attrs && { attrs: attrs as Attrs }) }
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
const failure = (shards: number[], causes: unknown[]) => {
  const codes = new Set(causes.map((cause) => (cause instanceof ShardedError ? cause.code : 'SHARD_FAILED')))
  return new ShardedError(codes.size === 1 ? [...codes][0]! : 'SHARD_FAILED', `${shards.length === 1 ? 'shard' : 'shards'} ${shards.join(', ')} did not answer: ${(causes[0] as Error)?.message}`, shards, { cause: causes[0] })
}

/** What is under way goes on unheard. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (!signal) return work()
  const error = () => new ShardedError('ABORTED', 'the search was aborted', [], { cause: signal.reason })
  if (signal.aborted) throw error()
  return new Promise((resolve, reject) => {
    const abort = () => reject(error())
    signal.addEventListener('abort', abort, { once: true })
    work().then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Of records with one id the last counts. */
const last = (records: Sent[]) => [...new Map(records.map((record) => [record.id, record])).values()]

const encoder = new TextEncoder()
function byBytes(a: string, b: string): number {
  const [x, y] = [encoder.encode(a), encoder.encode(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return x.length - y.length
}
/** As in one store. */
const order = <A extends AttrsOf<A>>(a: Hit<A>, b: Hit<A>) => b.score - a.score || byBytes(a.collection, b.collection) || byBytes(a.id, b.id)

/** The best of all lists. Undefined: a list that ended at what was asked of it may have hidden one of them, since another list had some of the same. */
export function merge<A extends AttrsOf<A>>(lists: Hit<A>[][], topK: number, asked: number): Hit<A>[] | undefined {
  const seen = new Map<string, Hit<A>>()
  let twice = false
  for (const hit of lists.flat()) {
    // Whatever characters both have.
    const key = `${hit.collection.length} ${hit.collection}${hit.id}`
    // The list that was made first counts: it is of the old shards.
    if (seen.has(key)) twice = true
    else seen.set(key, hit)
  }
  const best = [...seen.values()].sort(order).slice(0, topK)
  const worst = best[topK - 1]
  if (twice && lists.some((list) => list.length === asked && (!worst || order(list[asked - 1]!, worst) < 0))) return undefined
  return best
}
