import { NidusError, invalid } from '../errors/errors.js'
import type { Hit, Nidus } from '../types/index.js'
import { groupBy } from './batching.js'
import { TIMEOUT_MS } from './deadlines.js'
import { shardError, Stale } from './errors.js'
import { Fences } from './fences.js'
import type { Layout } from './layout.js'
import { Moves } from './moves.js'
import { ARRIVALS, Peers, type Kept } from './peers.js'
import type { Answer, Call, Calls, Changed, Found, Namespace, Sent, ShardStub, Still, Whom } from './protocol.js'
import { find, query, search, statistics } from './reads.js'
import { fitting, partsOfHits } from './sizes.js'
import type { ShardStorage } from './storage.js'
import { ShardTexts } from './texts.js'

/** The most requests under way in one shard. Further ones are refused with BUSY. */
const AT_ONCE = 64
/** The most time to wait for another shard. It is short, so that the caller hears which shard was silent. */
const PEER_MS = 15_000
const patienceOf = ({ timeout = TIMEOUT_MS }: Whom) => Math.min(PEER_MS, timeout / 2)

/** The router's calls. */
const INNER: ReadonlySet<Call> = new Set(['layout', 'texts', 'move'])
const WRITES: ReadonlySet<Call> = new Set(['upsert', 'update', 'delete', 'deleteWhere'])

/** Keeps the records of one shard, and answers calls of clients, of the router and of other shards. */
export class Shard {
  readonly #storage: ShardStorage
  readonly #open: (dimension: number) => Promise<Nidus>
  readonly #fences: Fences
  readonly #peers: Peers
  readonly #moves: Moves
  readonly #texts: ShardTexts
  #db: Promise<Nidus> | undefined
  #kept: Kept | undefined
  /** Resolves once the newest layout is on the disk and the calls of the previous layout are done. */
  #noted: Promise<unknown> = Promise.resolve()
  readonly #ready: Promise<void>
  #running = 0
  /** The writes that must end before a newer layout takes effect. */
  readonly #writing = new Set<Promise<unknown>>()

  constructor(storage: ShardStorage, shards: () => Namespace<ShardStub>, open: (dimension: number) => Promise<Nidus>) {
    const kept = () => this.#kept!
    this.#storage = storage
    this.#open = open
    this.#fences = new Fences(storage)
    this.#peers = new Peers(kept, shards, (layout) => this.#note({ ...kept(), layout }))
    this.#moves = new Moves(kept, () => this.#store(), this.#peers, this.#fences)
    this.#texts = new ShardTexts(storage, () => this.#store())
    this.#ready = this.#wake()
    this.#ready.catch(() => {})
  }

  async #wake() {
    this.#kept = await this.#storage.get<Kept>('nidus-shard')
    await this.#fences.wake()
    await this.#texts.wake()
    if (this.#kept) this.#moves.wake()
    this.#peers.epoch = ((await this.#storage.get<number>('nidus-epoch')) ?? 0) + 1
    await this.#storage.put('nidus-epoch', this.#peers.epoch)
  }

  async call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>> {
    // Calls between shards do not wait for calls from outside. Otherwise two shards could wait for each other.
    const inner = whom.sender !== undefined || INNER.has(method)
    if (!inner && this.#running >= AT_ONCE)
      return {
        error: { code: 'BUSY', message: `shard ${whom.index} has ${AT_ONCE} requests under way`, shards: [whom.index] },
      }
    this.#running++
    try {
      await this.#ready
      const stale = await this.#note(whom)
      if (stale && (!inner || ARRIVALS.has(method))) return { stale }
      if (method === 'search' && whom.parts) return await this.#inParts(args as Parameters<Calls['search']>)
      if (method === 'query') return await this.#foundInParts(whom, args as Parameters<Calls['query']>)
      if (!WRITES.has(method)) return { ok: await this.#do(whom, method, args) }
      if (whom.client) await this.#fences.passClient(whom.client)
      const write = this.#do(whom, method, args)
      this.#writing.add(write)
      return { ok: await write.finally(() => this.#writing.delete(write)) }
    } catch (error) {
      if (error instanceof Stale) return { stale: error.layout, done: error.done }
      const { code, shards } = error instanceof NidusError ? error : ({ code: 'SHARD_FAILED' } as const)
      return {
        error: {
          code,
          message: `shard ${whom.index}: ${(error as Error)?.message ?? error}`,
          shards: shards ?? [whom.index],
        },
      }
    } finally {
      this.#running--
    }
  }

  /** Stores a newer layout. If the shard's own layout is newer, returns that one. */
  async #note({ name, index, layout }: Pick<Whom, 'name' | 'index' | 'layout'>): Promise<Layout | undefined> {
    const kept = this.#kept
    if (kept && (kept.name !== name || kept.index !== index))
      throw invalid(`this is shard ${kept.index} of ${kept.name}, not ${index} of ${name}`)
    if (!kept || kept.layout.version < layout.version) {
      const now = (this.#kept = { name, index, layout })
      // From here on, calls of the older layout are refused. Those that came before end before anything else begins.
      this.#noted = Promise.all([this.#noted, this.#moves.arriving, this.#storage.put('nidus-shard', now)]).catch(
        (error: unknown) => {
          if (this.#kept === now) this.#kept = kept
          throw error
        },
      )
      this.#moves.renew()
    }
    await this.#noted
    return this.#kept!.layout.version > layout.version ? this.#kept!.layout : undefined
  }

  #store(): Promise<Nidus> {
    if (this.#db) return this.#db
    const opened = (this.#db = this.#open(this.#kept!.layout.dimension))
    const over = () => void (this.#db === opened && (this.#db = undefined))
    opened.then((db) => db.closed.then(over), over)
    return opened
  }

  async #do(whom: Whom, method: Call, args: unknown[]): Promise<unknown> {
    const db = await this.#store()
    const patience = patienceOf(whom)
    switch (method) {
      case 'upsert':
        return this.#moves.write(patience, ...(args as Parameters<Calls['upsert']>))
      case 'update':
        return this.#moves.update(patience, ...(args as Parameters<Calls['update']>))
      case 'delete':
        return this.#moves.delete(patience, ...(args as Parameters<Calls['delete']>))
      case 'deleteWhere':
        return this.#moves.deleteWhere(patience, ...(args as Parameters<Calls['deleteWhere']>))
      case 'get': {
        const [collection, ids] = args as Parameters<Calls['get']>
        return fitting(ids, (some) => this.#get(patience, collection, some))
      }
      case 'search':
        return search(db, ...(args as Parameters<Calls['search']>))
      case 'count':
        return this.#still(patience, async () => ({ count: await db.count(...(args as Parameters<Calls['count']>)) }))
      case 'statistics':
        return this.#still(patience, () => statistics(db, ...(args as Parameters<Calls['statistics']>)))
      case 'stats':
        return { ...(await db.footprint()), epoch: this.#peers.epoch }
      case 'collections':
        return db.collections()
      case 'compact':
        return (await db.compact(), null)
      // Writes of an older layout must end first. They may put records here that now have to leave.
      case 'layout':
        return (await Promise.allSettled(this.#writing), null)
      case 'texts':
        return this.#texts.take(patience, ...(args as Parameters<Calls['texts']>))
      case 'move':
        return this.#moves.move(patience)
      case 'find': {
        const [collection, ids] = args as Parameters<Calls['find']>
        return fitting(ids, (some) => find(db, collection, some))
      }
      case 'has':
        return (await find(db, ...(args as Parameters<Calls['has']>))).map((record) => record !== null)
      case 'put':
      case 'adopt':
      case 'remove':
      case 'change':
        return this.#moves.arrive(whom, method, ...(args as [string, (Sent & string & Changed)[]]))
      default:
        throw new NidusError('UNSUPPORTED', `this version knows no call ${String(method)}`)
    }
  }

  async #inParts(args: Parameters<Calls['search']>): Promise<Answer<Hit[][]>> {
    const all = partsOfHits(await search(await this.#store(), ...args))
    const ok = all.shift()!
    return all.length ? { ok, more: async () => all.shift() ?? null } : { ok }
  }

  async #foundInParts(whom: Whom, args: Parameters<Calls['query']>): Promise<Answer<Found>> {
    const db = await this.#store()
    const work = () => query(db, ...args)
    // Counts are exact only if no record is counted in two shards.
    const { hits, ...others }: Found =
      args[0].facets || args[0].explain ? await this.#still(patienceOf(whom), work) : await work()
    const all = partsOfHits([hits]).map(([hits]) => ({ hits }))
    const ok = { ...all.shift()!, ...others }
    return all.length ? { ok, more: async () => all.shift() ?? null } : { ok }
  }

  /** Runs a read, and reports whether a record was being moved meanwhile. */
  async #still<T extends object>(patience: number, work: () => Promise<T>): Promise<T & Still> {
    await this.#moves.tidy(patience)
    const waits = this.#peers.late
    const before = this.#moves.moved
    const found = await work()
    // If a record was moved during the read, the answer is no better than one with an odd number.
    const { moved } = this.#moves
    return { ...found, moved: moved === before ? moved : 1, waits }
  }

  /** Looks for records here first, and then in the shard to which they may have moved meanwhile. */
  async #get(patience: number, collection: string, ids: string[]): Promise<(Sent | null)[]> {
    const found = await find(await this.#store(), collection, ids)
    const missing = ids.flatMap((id, n) =>
      found[n] || this.#moves.ownerOf(collection, id) === this.#kept!.index ? [] : [n],
    )
    await Promise.all(
      [...groupBy(missing, (n) => this.#moves.ownerOf(collection, ids[n]))].map(async ([other, numbers]) => {
        while (numbers.length) {
          const there = await this.#peers.call(
            patience,
            other,
            'find',
            collection,
            numbers.map((n) => ids[n]),
          )
          if (there.length === 0)
            throw shardError('SHARD_FAILED', `shard ${other} gave no answer to what it was asked`, [other])
          there.forEach((record, i) => (found[numbers[i]] = record))
          numbers = numbers.slice(there.length)
        }
      }),
    )
    return found
  }
}
