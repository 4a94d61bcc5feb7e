import { captureIds, captureQuery, collectionName } from '../arguments/input.js'
import { NidusError, invalid } from '../errors/errors.js'
import type {
  Attrs,
  AttrsOf,
  ColumnarBatch,
  Filter,
  Hit,
  Hits,
  Listed,
  Query,
  RecordChange,
  RecordInput,
  TextConfig,
  TextSettings,
  Vector,
  VectorRecord,
} from '../types/index.js'
import type {
  ShardedCallOptions,
  ShardedEnv,
  ShardedListOptions,
  ShardedOptions,
  ShardedQuestionOptions,
  ShardedSearchOptions,
  ShardedSimilarOptions,
} from '../types/sharded.js'
import type { QueryArgs } from '../contract/query.js'
import { describe } from '../core/wire.js'
import { groupBy } from './batching.js'
import {
  captureChanged,
  captureList,
  captureQuestion,
  captureSent,
  captureSimilar,
  captureTexts,
  checkCall,
  checkEnv,
  checkFilter,
  checkSearch,
  checkShards,
  queriesApart,
} from './checks.js'
import { shardError, Stale } from './errors.js'
import { placeOf, range } from './layout.js'
import { byBytes, merge } from './merge.js'
import type { Sent } from './protocol.js'
import { answer, listed } from './questions.js'
import { Requests } from './requests.js'
import { MOST_BYTES, parts, partsOfIds, partsOfQueries } from './sizes.js'

const COUNTS = 100

/** These errors say that the question is wrong, and not that a shard failed. */
const ASKED: ReadonlySet<string> = new Set(['INVALID_ARGUMENT', 'DIMENSION_MISMATCH', 'ABORTED'])

/** The hits of the shards that answered, the shards that did not, and why. */
interface Answered<A extends AttrsOf<A>> {
  hits: Hit<A>[][]
  missing: number[]
  causes: unknown[]
}

/** A client of a sharded store. ./public.ts has the public class around it. */
export class Client<A extends AttrsOf<A> = Attrs> {
  readonly name: string
  readonly dimension: number
  readonly #requests: Requests

  constructor(env: ShardedEnv, name: string, options: ShardedOptions) {
    const { dimension, shards, timeout } = checkEnv(env, name, options)
    this.name = name
    this.dimension = dimension
    this.#requests = new Requests(env, name, dimension, shards, timeout)
  }

  async upsert(
    collection: string,
    batch: RecordInput<A> | RecordInput<A>[] | ColumnarBatch<A>,
    options?: ShardedCallOptions,
  ): Promise<number> {
    const call = checkCall(options, 'upsert')
    collectionName(collection)
    const sent = captureSent(batch, this.dimension)
    await this.#requests.by(call, async (at) => {
      const groups = groupBy(last(sent), ({ id }) => placeOf(collection, id, at.layout.from))
      await this.#requests.all([...groups], async ([index, group]) => {
        for (const part of parts(group)) await this.#requests.ask(at, index, 'upsert', collection, part)
      })
    })
    return sent.length
  }

  async update(
    collection: string,
    changes: RecordChange<A> | RecordChange<A>[],
    options?: ShardedCallOptions,
  ): Promise<number> {
    const call = checkCall(options, 'update')
    collectionName(collection)
    const changed = captureChanged(changes)
    await this.#requests.by(call, async (at) => {
      const groups = groupBy(changed, ({ id }) => placeOf(collection, id, at.layout.from))
      await this.#requests.all([...groups], async ([index, group]) => {
        for (const part of parts(group))
          await this.#requests.ask(at, index, 'update', collection, part).catch((error: unknown) => {
            throw partOfUpdate(error)
          })
      })
    })
    return changed.length
  }

  async delete(collection: string, ids: string | string[], options?: ShardedCallOptions): Promise<number> {
    const call = checkCall(options, 'delete')
    collectionName(collection)
    const all = [...new Set(captureIds(ids).ids)]
    // Counted over all attempts, because the second attempt no longer finds what the first one deleted.
    let deleted = 0
    await this.#requests.by(call, async (at) => {
      const groups = groupBy(all, (id) => placeOf(collection, id, at.layout.from))
      await this.#requests.all([...groups], async ([index, group]) => {
        for (const part of partsOfIds(group)) {
          const gone = await this.#requests.ask(at, index, 'delete', collection, part).catch((error: unknown) => {
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
    if (filter === undefined) throw invalid('deleteWhere needs a filter; {} deletes everything')
    const call = checkCall(options, 'deleteWhere')
    collectionName(collection)
    checkFilter(filter)
    let deleted = 0
    await this.#requests.by(call, (at) =>
      this.#requests.everywhere(at.layout, async (index) => {
        const gone = await this.#requests.ask(at, index, 'deleteWhere', collection, filter)
        deleted += gone
      }),
    )
    return deleted
  }

  get(collection: string, id: string, options?: ShardedCallOptions): Promise<VectorRecord<A> | undefined>
  get(collection: string, ids: string[], options?: ShardedCallOptions): Promise<(VectorRecord<A> | undefined)[]>
  async get(collection: string, ids: string | string[], options?: ShardedCallOptions) {
    const found = await this.#get(collection, ids, options)
    return typeof ids === 'string' ? found[0] : found
  }

  async #get(
    collection: string,
    ids: string | string[],
    options: ShardedCallOptions | undefined,
  ): Promise<(VectorRecord<A> | undefined)[]> {
    const call = checkCall(options, 'get')
    collectionName(collection)
    const all = captureIds(ids).ids
    return this.#requests.by(call, async (at) => {
      const found: (VectorRecord<A> | undefined)[] = new Array(all.length).fill(undefined)
      const groups = groupBy(
        all.map((_, n) => n),
        (n) => placeOf(collection, all[n], at.layout.from),
      )
      // This many records without attributes fit into an answer. If records are larger, fewer come back.
      const most = Math.max(1, Math.floor(MOST_BYTES / (4 * this.dimension + 1024)))
      await this.#requests.all([...groups], async ([index, group]) => {
        for (let done = 0; done < group.length;) {
          const asked = group.slice(done, done + most)
          const records = await this.#requests.ask(
            at,
            index,
            'get',
            collection,
            asked.map((n) => all[n]),
          )
          if (records.length === 0)
            throw shardError('SHARD_FAILED', `shard ${index} gave no answer to what it was asked`, [index])
          records.forEach((record, i) => (found[asked[i]] = (record ?? undefined) as VectorRecord<A> | undefined))
          done += records.length
        }
      })
      return found
    })
  }

  /** Searches all shards exactly, or rejects with an error that names the shards that did not answer. */
  async search(query: Vector | Query, options?: ShardedQuestionOptions<A>): Promise<Hits<Hit<A>>> {
    const question = captureQuestion(query, options, this.dimension)
    if (question) return this.#answer(question.call, question.args)
    return whole(await this.#search([captureQuery(query, this.dimension)], options, 'search'))[0]
  }

  async similar(collection: string, id: string, options?: ShardedSimilarOptions<A>): Promise<Hits<Hit<A>>> {
    const { call, args } = captureSimilar(collection, id, options, this.dimension)
    const [record] = await this.get(collection, [id], call)
    if (!record)
      throw new NidusError('NOT_FOUND', `there is no record ${describe(id)} in the collection ${describe(collection)}`)
    return this.#answer(call, { ...args, vector: record.vector })
  }

  async list(collection: string, options?: ShardedListOptions<A>): Promise<Listed<A>> {
    const { call, args } = captureList(collection, options, this.dimension)
    const hits = (await this.#requests.by(call, (at) => listed(this.#requests, at, args))) as Hits<Hit<A>>
    const records: Listed<A> = hits.map(({ id, attrs, vector }) => (vector ? { id, attrs, vector } : { id, attrs }))
    if (hits.explain) records.explain = hits.explain
    return records
  }

  async setText(collection: string, text: TextConfig | null, options?: ShardedCallOptions): Promise<void> {
    const call = checkCall(options, 'setText')
    await this.#requests.texts(call, { collection: collectionName(collection), fields: captureTexts(text) })
  }

  async getText(collection: string, options?: ShardedCallOptions): Promise<TextSettings | undefined> {
    const call = checkCall(options, 'getText')
    collectionName(collection)
    return (await this.#requests.texts(call)).find(([name]) => name === collection)?.[1]
  }

  #answer(call: ShardedCallOptions, args: QueryArgs): Promise<Hits<Hit<A>>> {
    return this.#requests.by(call, (at) => answer(this.#requests, at, args)) as Promise<Hits<Hit<A>>>
  }

  async searchMany(queries: Vector[], options?: ShardedSearchOptions<A>): Promise<Hit<A>[][]> {
    return whole(await this.#search(queriesApart(queries, this.dimension), options, 'searchMany'))
  }

  /** Searches the shards that answer. `missing` lists the others. */
  async searchAvailable(
    query: Vector,
    options?: ShardedSearchOptions<A>,
  ): Promise<{ hits: Hit<A>[]; missing: number[] }> {
    const vectors = [captureQuery(query, this.dimension)]
    const { hits, missing } = await this.#search(vectors, options, 'searchAvailable')
    return { hits: hits[0], missing: [...missing].sort((a, b) => a - b) }
  }

  /**
   * Counts the records of all shards at one moment. While the store grows, waits for a moment at which no record is
   * being moved, and rejects with `BUSY` if there is none.
   */
  async count(collection?: string, filter?: Filter<A>, options?: ShardedCallOptions): Promise<number> {
    const call = checkCall(options, 'count')
    if (collection !== undefined) collectionName(collection)
    checkFilter(filter)
    return this.#requests.by(call, async (at) => {
      const { layout } = at
      const ask = (index: number) => this.#requests.ask(at, index, 'count', collection, filter)
      const waits = new Set<number>()
      for (let tries = 0; tries < COUNTS; tries++) {
        const [before, after] = await this.#requests.phases(layout, ask)
        const total = sum([...before, ...after].map(({ count }) => count))
        if (layout.from === layout.to) return total
        const again = await this.#requests.all(range(0, layout.from), ask)
        if (again.every(({ moved }, i) => moved % 2 === 0 && moved === before[i].moved)) return total
        waits.clear()
        for (const each of again) each.waits?.forEach((index) => waits.add(index))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      if (waits.size)
        throw shardError(
          'SHARD_FAILED',
          `records are on their way, and waited for is shard ${[...waits].join(', ')}, which does not answer`,
          [...waits],
        )
      throw new NidusError('BUSY', 'records moved between shards during every try: try again later')
    })
  }

  async collections(options?: ShardedCallOptions): Promise<string[]> {
    return this.#requests.by(checkCall(options, 'collections'), async (at) =>
      [
        ...new Set(
          (await this.#requests.everywhere(at.layout, (index) => this.#requests.ask(at, index, 'collections'))).flat(),
        ),
      ].sort(byBytes),
    )
  }

  async compact(options?: ShardedCallOptions): Promise<void> {
    await this.#requests.by(checkCall(options, 'compact'), (at) =>
      this.#requests.everywhere(at.layout, (index) => this.#requests.ask(at, index, 'compact')),
    )
  }

  /** Returns the number of shards and the figures that each of them reports. */
  async stats(
    options?: ShardedCallOptions,
  ): Promise<{ shards: number; growingTo: number | undefined; each: Record<string, unknown>[] }> {
    return this.#requests.by(checkCall(options, 'stats'), async (at) => {
      const { from, to } = at.layout
      return {
        shards: from,
        growingTo: from < to ? to : undefined,
        each: await this.#requests.everywhere(at.layout, (index) => this.#requests.ask(at, index, 'stats')),
      }
    })
  }

  /**
   * Adds shards. The growth goes on if this call is interrupted or objects restart. The same call again waits for its
   * end.
   */
  async grow(shards: number, options?: ShardedCallOptions): Promise<void> {
    const call = checkCall(options, 'grow')
    checkShards(shards)
    await this.#requests.grow(shards, call)
  }

  async #search(
    vectors: Float32Array[],
    options: ShardedSearchOptions<A> | undefined,
    method: string,
  ): Promise<Answered<A>> {
    const {
      wanted: { topK, ...wanted },
      ...call
    } = checkSearch(options, method)
    const [missing, causes]: [Set<number>, unknown[]] = [new Set(), []]
    return this.#requests.by(call, async (at) => {
      const ask = async (index: number, some: Float32Array[], asked: number): Promise<Hit<A>[][]> => {
        // A shard that did not answer is not waited for again.
        if (missing.has(index)) return some.map(() => [])
        try {
          return (await this.#requests.hits(at, index, some, { ...wanted, topK: asked })) as Hit<A>[][]
        } catch (error) {
          if (error instanceof Stale || (error instanceof NidusError && ASKED.has(error.code))) throw error
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
          const answers = (await this.#requests.phases(at.layout, (index) => ask(index, some, asked))).flat()
          const merged = some.map((_, which) =>
            merge(
              answers.map((answer) => answer[which]),
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
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
const failure = (shards: number[], causes: unknown[]) => {
  const codes = new Set(causes.map((cause) => (cause instanceof NidusError ? cause.code : 'SHARD_FAILED')))
  return shardError(
    codes.size === 1 ? [...codes][0] : 'SHARD_FAILED',
    `${shards.length === 1 ? 'shard' : 'shards'} ${shards.join(', ')} did not answer: ${(causes[0] as Error)?.message}`,
    shards,
    { cause: causes[0] },
  )
}

/** Returns the hits if every shard has answered. */
function whole<A extends AttrsOf<A>>({ hits, missing, causes }: Answered<A>): Hit<A>[][] {
  if (missing.length) throw failure(missing, causes)
  return hits
}

/** Returns the last record of each id, because that one counts. */
const last = (records: Sent[]) => [...new Map(records.map((record) => [record.id, record])).values()]

/**
 * Returns the error of an update that failed in one shard. A shard changes all records of its part or none, and knows
 * nothing of the other parts.
 */
function partOfUpdate(error: unknown): unknown {
  if (!(error instanceof NidusError) || error.code !== 'NOT_FOUND') return error
  const message = error.message.replace(/; nothing was changed$/, '; other records of the batch may have been changed')
  return new NidusError(error.code, message, { cause: error })
}
