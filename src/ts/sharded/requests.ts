import { NidusError } from '../errors/errors.js'
import type { QueryArgs } from '../contract/query.js'
import type { Hit } from '../types/index.js'
import type { ShardedCallOptions, ShardedEnv } from '../types/sharded.js'
import { settled } from './batching.js'
import { silent, TIMEOUT_MS, within } from './deadlines.js'
import { aborted, shardError, Stale, unwrap } from './errors.js'
import { range, type Layout } from './layout.js'
import { shardAt, type Answer, type Call, type Calls, type Found, type TextChange, type Wanted } from './protocol.js'
import { isTooLarge } from './sizes.js'
import type { Settings } from './texts.js'

const TRIES = 10
const WRITES: ReadonlySet<Call> = new Set(['upsert', 'update', 'delete', 'deleteWhere'])

/** One call: its layout, its timeout and its signal. */
export interface At {
  layout: Layout
  timeout: number
  signal: AbortSignal | undefined
}

/** Sends a client's calls to the router and to the shards. Remembers the newest layout that any of them has sent. */
export class Requests {
  readonly #env: ShardedEnv
  readonly #name: string
  readonly #dimension: number
  readonly #first: number
  readonly #timeout: number
  #layout: Promise<Layout> | undefined
  /**
   * The id of this client. Its writes have numbers, and with the next write a shard learns which earlier ones were
   * given up.
   */
  readonly #id = crypto.randomUUID()
  #turn = 0
  readonly #givenUp = new Map<number, number>()

  /** `first` is the number of shards of a new store. */
  constructor(env: ShardedEnv, name: string, dimension: number, first = 4, timeout = TIMEOUT_MS) {
    this.#env = env
    this.#name = name
    this.#dimension = dimension
    this.#first = first
    this.#timeout = timeout
  }

  /**
   * Does the work with the layout that is known. If a shard has a newer layout, does the work again with that. So the
   * work must be safe to do twice.
   */
  async by<T>({ timeout = this.#timeout, signal }: ShardedCallOptions, work: (at: At) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const layout = await this.#known(timeout, signal)
      try {
        return await work({ layout, timeout, signal })
      } catch (error) {
        if (!(error instanceof Stale)) throw error
        if (tries === TRIES) throw new NidusError('BUSY', 'the layout changed during every try: try again later')
        this.#layout = Promise.resolve(error.layout)
      }
    }
  }

  ask<M extends Call>(at: At, index: number, method: M, ...args: Parameters<Calls[M]>): Promise<ReturnType<Calls[M]>> {
    return this.#open(this.#call(at, index, method, args), at, index)
  }

  /** Returns the hits of one shard, in all parts of its answer. */
  hits(at: At, index: number, queries: Float32Array[], wanted: Wanted): Promise<Hit[][]> {
    return this.#whole(at, index, 'search', [queries, wanted], (lists, next) =>
      next.forEach((hits, which) => {
        for (const hit of hits) lists[which].push(hit)
      }),
    )
  }

  /** Returns what one shard answers to a question, in all parts of its answer. */
  found(at: At, index: number, args: QueryArgs): Promise<Found> {
    return this.#whole(at, index, 'query', [args], ({ hits }, next) => {
      for (const hit of next.hits) hits.push(hit)
    })
  }

  /** Asks all shards. The old ones come first. */
  async founds(at: At, args: QueryArgs): Promise<Found[]> {
    return this.everywhere(at.layout, (index) => this.found(at, index, args))
  }

  async #whole<M extends Call>(
    at: At,
    index: number,
    method: M,
    args: Parameters<Calls[M]>,
    add: (all: ReturnType<Calls[M]>, next: ReturnType<Calls[M]>) => void,
  ): Promise<ReturnType<Calls[M]>> {
    const answer = await this.#call(at, index, method, args)
    try {
      if (!('ok' in answer)) return await this.#open(Promise.resolve(answer), at, index)
      const all = answer.ok
      while (answer.more) {
        const next: ReturnType<Calls[M]> | null = await this.#open<ReturnType<Calls[M]> | null>(
          answer.more().then((ok) => ({ ok })),
          at,
          index,
        )
        if (!next) break
        add(all, next)
      }
      return all
    } finally {
      // Without this, the shard would keep the remaining parts for as long as somebody might fetch them.
      if (Symbol.dispose) (answer as { [Symbol.dispose]?: () => void })[Symbol.dispose]?.()
    }
  }

  /**
   * Asks the old shards first and then the new ones. So a record that moves meanwhile is seen in at least one of them.
   */
  async phases<T>(layout: Layout, work: (index: number) => Promise<T>): Promise<[T[], T[]]> {
    return [await this.all(range(0, layout.from), work), await this.all(range(layout.from, layout.to), work)]
  }
  async everywhere<T>(layout: Layout, work: (index: number) => Promise<T>): Promise<T[]> {
    return (await this.phases(layout, work)).flat()
  }

  /**
   * Does the work for all items at the same time. If a shard has a newer layout, throws `Stale`, whatever else failed.
   */
  async all<I, T>(items: I[], work: (item: I) => Promise<T>): Promise<T[]> {
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

  /** Asks the router to add shards, again and again until there are as many. */
  async grow(shards: number, { timeout = this.#timeout, signal }: ShardedCallOptions): Promise<void> {
    await this.#known(timeout, signal)
    for (;;) {
      if (signal?.aborted) throw aborted(signal)
      // The router waits for a part of the timeout, and then reports how far it is.
      const layout: Layout = await this.#open<Layout>(this.#router().grow(this.#name, shards, timeout), {
        timeout,
        signal,
      })
      this.#layout = Promise.resolve(layout)
      if (layout.from >= shards) return
    }
  }

  /** Returns the settings of all collections' texts. With a change, waits until all shards have them. */
  async texts({ timeout = this.#timeout, signal }: ShardedCallOptions, change?: TextChange): Promise<Settings> {
    await this.#known(timeout, signal)
    for (let asked = change; ; asked = undefined) {
      if (signal?.aborted) throw aborted(signal)
      const { settings, pending } = await this.#open<{ settings: Settings; pending: boolean }>(
        this.#router().texts(this.#name, timeout, asked),
        {
          timeout,
          signal,
        },
      )
      if (!pending || !change) return settings
    }
  }

  async #known(timeout: number, signal: AbortSignal | undefined): Promise<Layout> {
    if (signal?.aborted) throw aborted(signal)
    const known = (this.#layout ??= this.#open(this.#router().layout(this.#name, this.#dimension, this.#first), {
      timeout,
      signal: undefined,
    }))
    const forget = () => void (this.#layout === known && (this.#layout = undefined))
    known.catch(forget)
    // The layout may have been asked for by another request, which is over.
    return within(known, timeout, () => (forget(), silent('the router', timeout, [])), signal)
  }

  #router() {
    return this.#env.router.get(this.#env.router.idFromName(this.#name))
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
    const asked = shardAt(this.#env.shards, this.#name, index).call(
      { name: this.#name, index, layout, timeout, parts: true, ...(write && { client }) },
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
    const found = await within(answer, timeout, () => silent(who, timeout, shards), signal).catch((cause: unknown) => {
      if (cause instanceof NidusError) throw cause
      const text = (cause as Error)?.message ?? cause
      throw isTooLarge(cause)
        ? shardError('INVALID_ARGUMENT', `this is too much for one call, which carries 32 MiB: ${text}`, shards, {
            cause,
          })
        : shardError('SHARD_FAILED', `${who} did not answer: ${text}`, shards, { cause })
    })
    return unwrap<T>(found, shards)
  }
}
