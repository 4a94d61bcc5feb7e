import type { Attrs, AttrsOf, Filter, Hit, RecordInput, SearchOptions, VectorRecord } from '../types/index.js'
import type { ShardedCallOptions, ShardedEnv, ShardedOptions } from '../types/sharded.js'
import { describe } from '../core/wire.js'
import {
  checkCall,
  checkCollection,
  checkEnv,
  checkFilter,
  checkIds,
  checkRecord,
  checkSearch,
  checkShards,
  checkVector,
  listOf,
} from './checks.js'
import { placeOf, type Layout } from './layout.js'
import { merge } from './merge.js'
import { checkSize, isTooLarge, MOST_BYTES, parts, partsOfIds, partsOfQueries } from './sizes.js'
import {
  aborted,
  groupBy,
  settled,
  shardAt,
  ShardedError,
  silent,
  Stale,
  TIMEOUT_MS,
  within,
  type Answer,
  type Call,
  type Calls,
  type Sent,
  type Wanted,
} from './protocol.js'

const TRIES = 10
const COUNTS = 100

/** These errors say that the question is wrong, and not that a shard failed. */
const ASKED: ReadonlySet<string> = new Set(['INVALID_ARGUMENT', 'DIMENSION_MISMATCH', 'ABORTED'])
const WRITES: ReadonlySet<Call> = new Set(['upsert', 'delete', 'deleteWhere'])

/** One call: its layout, its timeout and its signal. */
interface At {
  layout: Layout
  timeout: number
  signal: AbortSignal | undefined
}

/** A client of a sharded store. ./public.ts has the public class around it. */
export class Client<A extends AttrsOf<A> = Attrs> {
  readonly name: string
  readonly dimension: number
  readonly #env: ShardedEnv
  readonly #first: number
  readonly #timeout: number
  #layout: Promise<Layout> | undefined
  /** Writes have numbers. With its next write, a shard is told which ones were given up. */
  readonly #id = crypto.randomUUID()
  #turn = 0
  readonly #givenUp = new Map<number, number>()

  constructor(env: ShardedEnv, name: string, options: ShardedOptions) {
    const { dimension, shards, timeout } = checkEnv(env, name, options)
    this.#env = env
    this.name = name
    this.dimension = dimension
    this.#first = shards ?? 4
    this.#timeout = timeout ?? TIMEOUT_MS
  }

  async upsert(collection: string, records: Iterable<RecordInput<A>>, options?: ShardedCallOptions): Promise<void> {
    const call = checkCall(options, 'upsert')
    checkCollection(collection)
    const sent = listOf(records, 'records must be an array, or another iterable of records').map((record, i) =>
      this.#sent(record, i),
    )
    await this.#by(call, async (at) => {
      const groups = groupBy(last(sent), ({ id }) => placeOf(collection, id, at.layout.from))
      await this.#all([...groups], async ([index, group]) => {
        for (const part of parts(group)) await this.#ask(at, index, 'upsert', collection, part)
      })
    })
  }

  async delete(collection: string, ids: Iterable<string>, options?: ShardedCallOptions): Promise<number> {
    const call = checkCall(options, 'delete')
    checkCollection(collection)
    const all = [...new Set(checkIds(ids))]
    // Counted over all attempts, because the second attempt no longer finds what the first one deleted.
    let deleted = 0
    await this.#by(call, async (at) => {
      const groups = groupBy(all, (id) => placeOf(collection, id, at.layout.from))
      await this.#all([...groups], async ([index, group]) => {
        for (const part of partsOfIds(group)) {
          const gone = await this.#ask(at, index, 'delete', collection, part).catch((error: unknown) => {
            if (error instanceof Stale) deleted += error.done
            throw error
          })
          deleted += gone
        }
      })
    })
    return deleted
  }

  async deleteWhere(collection: string, filter: Filter<A>, options?: ShardedCallOptions): Promise<number> {
    if (filter === undefined)
      throw new ShardedError('INVALID_ARGUMENT', 'deleteWhere needs a filter; {} deletes everything')
    const call = checkCall(options, 'deleteWhere')
    checkCollection(collection)
    checkFilter(filter)
    let deleted = 0
    await this.#by(call, (at) =>
      this.#everywhere(at.layout, async (index) => {
        const gone = await this.#ask(at, index, 'deleteWhere', collection, filter as Filter)
        deleted += gone
      }),
    )
    return deleted
  }

  async get(
    collection: string,
    ids: Iterable<string>,
    options?: ShardedCallOptions,
  ): Promise<(VectorRecord<A> | undefined)[]> {
    const call = checkCall(options, 'get')
    checkCollection(collection)
    const all = checkIds(ids)
    return this.#by(call, async (at) => {
      const found: (VectorRecord<A> | undefined)[] = new Array(all.length).fill(undefined)
      const groups = groupBy(
        all.map((_, n) => n),
        (n) => placeOf(collection, all[n]!, at.layout.from),
      )
      // So many records without attributes fit into an answer. If records are larger, fewer come back.
      const most = Math.max(1, Math.floor(MOST_BYTES / (4 * this.dimension + 1024)))
      await this.#all([...groups], async ([index, group]) => {
        for (let done = 0; done < group.length;) {
          const asked = group.slice(done, done + most)
          const records = await this.#ask(
            at,
            index,
            'get',
            collection,
            asked.map((n) => all[n]!),
          )
          if (records.length === 0)
            throw new ShardedError('SHARD_FAILED', `shard ${index} gave no answer to what it was asked`, [index])
          records.forEach((record, i) => (found[asked[i]!] = (record ?? undefined) as VectorRecord<A> | undefined))
          done += records.length
        }
      })
      return found
    })
  }

  /** Searches all shards exactly, or rejects with an error that names the shards that did not answer. */
  async search(query: ArrayLike<number>, options?: SearchOptions<A> & ShardedCallOptions): Promise<Hit<A>[]> {
    return (await this.#whole([query], options, 'search'))[0]!
  }

  async searchMany(queries: ArrayLike<number>[], options?: SearchOptions<A> & ShardedCallOptions): Promise<Hit<A>[][]> {
    if (!Array.isArray(queries))
      throw new ShardedError('INVALID_ARGUMENT', `queries must be an array of vectors, not ${describe(queries)}`)
    return this.#whole(queries, options, 'searchMany')
  }

  /** Searches the shards that answer. `missing` lists the others. */
  async searchAvailable(
    query: ArrayLike<number>,
    options?: SearchOptions<A> & ShardedCallOptions,
  ): Promise<{ hits: Hit<A>[]; missing: number[] }> {
    const { hits, missing } = await this.#search([query], options, 'searchAvailable')
    return { hits: hits[0]!, missing: [...missing].sort((a, b) => a - b) }
  }

  /**
   * Counts the records of all shards at one moment. While the store grows, waits for a moment at which no record is
   * being moved, and rejects with `BUSY` if there is none.
   */
  async count(options?: ShardedCallOptions): Promise<number> {
    return this.#by(checkCall(options, 'count'), async (at) => {
      const { layout } = at
      const waits = new Set<number>()
      for (let tries = 0; tries < COUNTS; tries++) {
        const [before, after] = await this.#phases(layout, (index) => this.#ask(at, index, 'count'))
        const total = sum([...before, ...after].map(({ count }) => count))
        if (layout.from === layout.to) return total
        const again = await this.#all(range(0, layout.from), (index) => this.#ask(at, index, 'count'))
        if (again.every(({ moved }, i) => moved % 2 === 0 && moved === before[i]!.moved)) return total
        waits.clear()
        for (const each of again) each.waits?.forEach((index) => waits.add(index))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      if (waits.size)
        throw new ShardedError(
          'SHARD_FAILED',
          `records are on their way, and waited for is shard ${[...waits].join(', ')}, which does not answer`,
          [...waits],
        )
      throw new ShardedError('BUSY', 'records are on their way all the time')
    })
  }

  async collections(options?: ShardedCallOptions): Promise<string[]> {
    return this.#by(checkCall(options, 'collections'), async (at) =>
      [...new Set((await this.#everywhere(at.layout, (index) => this.#ask(at, index, 'collections'))).flat())].sort(),
    )
  }

  async compact(options?: ShardedCallOptions): Promise<void> {
    await this.#by(checkCall(options, 'compact'), (at) =>
      this.#everywhere(at.layout, (index) => this.#ask(at, index, 'compact')),
    )
  }

  /** Returns the number of shards and the figures that each of them reports. */
  async stats(
    options?: ShardedCallOptions,
  ): Promise<{ shards: number; growingTo: number | undefined; each: Record<string, unknown>[] }> {
    return this.#by(checkCall(options, 'stats'), async (at) => {
      const { from, to } = at.layout
      return {
        shards: from,
        growingTo: from < to ? to : undefined,
        each: await this.#everywhere(at.layout, (index) => this.#ask(at, index, 'stats')),
      }
    })
  }

  /**
   * Adds shards. The growth goes on if this call is interrupted or objects restart. The same call again waits for its
   * end.
   */
  async grow(shards: number, options?: ShardedCallOptions): Promise<void> {
    const { timeout = this.#timeout, signal } = checkCall(options, 'grow')
    checkShards(shards)
    await this.#known(timeout, signal)
    for (;;) {
      if (signal?.aborted) throw aborted(signal)
      // The router waits for a part of the timeout, and then reports how far it is.
      const layout: Layout = await this.#open<Layout>(this.#router().grow(this.name, shards, timeout), {
        timeout,
        signal,
      })
      this.#layout = Promise.resolve(layout)
      if (layout.from >= shards) return
    }
  }

  async #whole(
    queries: ArrayLike<number>[],
    options: (SearchOptions<A> & ShardedCallOptions) | undefined,
    method: string,
  ): Promise<Hit<A>[][]> {
    const { hits, missing, causes } = await this.#search(queries, options, method)
    if (missing.length) throw failure(missing, causes)
    return hits
  }

  async #search(
    queries: ArrayLike<number>[],
    options: (SearchOptions<A> & ShardedCallOptions) | undefined,
    method: string,
  ): Promise<{ hits: Hit<A>[][]; missing: number[]; causes: unknown[] }> {
    const {
      wanted: { topK, ...wanted },
      ...call
    } = checkSearch(options, method)
    const vectors = Array.from(queries, (query, i) =>
      checkVector(query, this.dimension, () => (method === 'searchMany' ? `query ${i}` : 'the query')),
    )
    const [missing, causes]: [Set<number>, unknown[]] = [new Set(), []]
    return this.#by(call, async (at) => {
      const ask = async (index: number, some: Float32Array[], asked: number): Promise<Hit<A>[][]> => {
        // A shard that did not answer is not waited for again.
        if (missing.has(index)) return some.map(() => [])
        try {
          return (await this.#hits(at, index, some, { ...wanted, topK: asked })) as Hit<A>[][]
        } catch (error) {
          if (error instanceof Stale || (error instanceof ShardedError && ASKED.has(error.code))) throw error
          missing.add(index)
          causes.push(error)
          return some.map(() => [])
        }
      }
      const hits: Hit<A>[][] = []
      for (const some of partsOfQueries(vectors)) {
        // A record that moved meanwhile is in two lists, and may have taken the place of a better hit. Then longer
        // lists are asked for.
        for (let asked = topK; ; asked *= 2) {
          const answers = (await this.#phases(at.layout, (index) => ask(index, some, asked))).flat()
          const merged = some.map((_, which) =>
            merge(
              answers.map((answer) => answer[which]!),
              topK,
              asked,
            ),
          )
          if (merged.some((list) => list === undefined)) continue
          hits.push(...(merged as Hit<A>[][]))
          break
        }
      }
      return { hits, missing: [...missing], causes }
    })
  }

  /** Returns the complete answer of one shard, in all its parts. */
  async #hits(at: At, index: number, queries: Float32Array[], wanted: Wanted): Promise<Hit[][]> {
    const answer = await this.#call(at, index, 'search', [queries, wanted])
    try {
      if (!('ok' in answer)) return await this.#open(Promise.resolve(answer), at, index)
      const lists = answer.ok
      while (answer.more) {
        const next: Hit[][] | null = await this.#open(
          answer.more().then((ok) => ({ ok })),
          at,
          index,
        )
        if (!next) break
        next.forEach((hits, which) => {
          for (const hit of hits) lists[which]!.push(hit)
        })
      }
      return lists
    } finally {
      // Without this, the shard would keep the remaining parts for as long as somebody might fetch them.
      if (Symbol.dispose) (answer as { [Symbol.dispose]?: () => void })[Symbol.dispose]?.()
    }
  }

  /**
   * Asks the old shards first and then the new ones. So a record that moves meanwhile is seen in at least one of them.
   */
  async #phases<T>(layout: Layout, work: (index: number) => Promise<T>): Promise<[T[], T[]]> {
    return [await this.#all(range(0, layout.from), work), await this.#all(range(layout.from, layout.to), work)]
  }
  async #everywhere<T>(layout: Layout, work: (index: number) => Promise<T>): Promise<T[]> {
    return (await this.#phases(layout, work)).flat()
  }

  /** If there is a newer layout, everything begins again, whatever else failed. */
  async #all<I, T>(items: I[], work: (item: I) => Promise<T>): Promise<T[]> {
    let stale: Stale | undefined
    const all = items.map((item) =>
      work(item).catch((error: unknown) => {
        if (error instanceof Stale) stale = error
        throw error
      }),
    )
    return settled(all).catch((error: unknown) => {
      throw stale ?? error
    })
  }

  /**
   * Works by the layout that is known, and again by a newer one if a shard has it. So the work must be safe to do
   * twice.
   */
  async #by<T>({ timeout = this.#timeout, signal }: ShardedCallOptions, work: (at: At) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const layout = await this.#known(timeout, signal)
      try {
        return await work({ layout, timeout, signal })
      } catch (error) {
        if (!(error instanceof Stale)) throw error
        if (tries === TRIES) throw new ShardedError('BUSY', 'the store changes its shards all the time')
        this.#layout = Promise.resolve(error.layout)
      }
    }
  }

  async #known(timeout: number, signal: AbortSignal | undefined): Promise<Layout> {
    if (signal?.aborted) throw aborted(signal)
    const known = (this.#layout ??= this.#open(this.#router().layout(this.name, this.dimension, this.#first), {
      timeout,
      signal: undefined,
    }))
    const forget = () => void (this.#layout === known && (this.#layout = undefined))
    known.catch(forget)
    // The layout may have been asked for by another request, which is over.
    return within(known, timeout, () => (forget(), silent('the router', timeout, [])), signal)
  }

  #router() {
    return this.#env.router.get(this.#env.router.idFromName(this.name))
  }

  #ask<M extends Call>(at: At, index: number, method: M, ...args: Parameters<Calls[M]>): Promise<ReturnType<Calls[M]>> {
    return this.#open(this.#call(at, index, method, args), at, index)
  }

  async #call<M extends Call>(
    { layout, timeout, signal }: At,
    index: number,
    method: M,
    args: Parameters<Calls[M]>,
  ): Promise<Answer<ReturnType<Calls[M]>>> {
    if (signal?.aborted) throw aborted(signal)
    const turn = ++this.#turn
    const write = WRITES.has(method)
    const client = { id: this.#id, turn, fence: this.#givenUp.get(index) ?? 0 }
    const asked = shardAt(this.#env.shards, this.name, index).call(
      { name: this.name, index, layout, timeout, parts: true, ...(write && { client }) },
      method,
      args,
    ) as Promise<Answer<ReturnType<Calls[M]>>>
    if (!write) return within(asked, timeout, () => silent(`shard ${index}`, timeout, [index]), signal)
    return within(asked, timeout, () => silent(`shard ${index}`, timeout, [index]), signal).catch((error: unknown) => {
      // The write may still arrive, but not after the next write of this client.
      this.#givenUp.set(index, Math.max(turn, this.#givenUp.get(index) ?? 0))
      throw error
    })
  }

  async #open<T>(
    answer: Promise<Answer<T>>,
    { timeout, signal }: Pick<At, 'timeout' | 'signal'>,
    index?: number,
  ): Promise<T> {
    const [who, shards] = index === undefined ? ['the router', []] : [`shard ${index}`, [index]]
    let found: Answer<T>
    try {
      found = await within(answer, timeout, () => silent(who, timeout, shards), signal)
    } catch (error) {
      if (error instanceof ShardedError) throw error
      if (isTooLarge(error))
        throw new ShardedError(
          'INVALID_ARGUMENT',
          `this is too much for one call, which carries 32 MiB: ${(error as Error).message}`,
          shards,
          { cause: error },
        )
      throw new ShardedError('SHARD_FAILED', `${who} did not answer: ${(error as Error)?.message ?? error}`, shards, {
        cause: error,
      })
    }
    if ('stale' in found) throw new Stale(found.stale, found.done)
    if ('error' in found) throw new ShardedError(found.error.code, found.error.message, found.error.shards ?? shards)
    return found.ok
  }

  #sent(record: RecordInput<A>, i: number): Sent {
    const sent = checkRecord(record, i, this.dimension)
    checkSize(sent)
    return sent
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
const failure = (shards: number[], causes: unknown[]) => {
  const codes = new Set(causes.map((cause) => (cause instanceof ShardedError ? cause.code : 'SHARD_FAILED')))
  return new ShardedError(
    codes.size === 1 ? [...codes][0]! : 'SHARD_FAILED',
    `${shards.length === 1 ? 'shard' : 'shards'} ${shards.join(', ')} did not answer: ${(causes[0] as Error)?.message}`,
    shards,
    { cause: causes[0] },
  )
}

/** If an id occurs twice, the last record counts. */
const last = (records: Sent[]) => [...new Map(records.map((record) => [record.id, record])).values()]
