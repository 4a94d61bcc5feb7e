import { NidusError } from '../errors/errors.js'
import type { Filter, Hit, Nidus, NidusError as AnyError } from '../types/index.js'
import { Fences } from './fences.js'
import { placeOf, type Layout } from './layout.js'
import { fitting, isTooLarge, parts, partsOfHits } from './sizes.js'
import type { ShardStorage } from './storage.js'
import {
  groupBy,
  settled,
  shardAt,
  ShardedError,
  silent,
  Stale,
  TIMEOUT_MS,
  unwrap,
  within,
  type Answer,
  type Call,
  type Calls,
  type Namespace,
  type Sent,
  type ShardStub,
  type Wanted,
  type Whom,
} from './protocol.js'

/** The most requests under way in one shard. Further ones are told to come again. */
const AT_ONCE = 64
/** The most records that are moved at once, or looked at to find such records. */
const BATCH = 100
const LOOK = 2000
/** The most time to wait for another shard. It is short, so that the caller hears which shard was silent. */
const PEER_MS = 15_000
/** A wait of this length is no sign of trouble yet. */
const SOON_MS = 1000

interface Kept {
  name: string
  index: number
  layout: Layout
}

const WRITES: ReadonlySet<Call> = new Set(['upsert', 'delete', 'deleteWhere'])
const ARRIVALS: ReadonlySet<Call> = new Set(['put', 'adopt', 'remove'])

/** The share of a store that one object has. */
export class Shard {
  readonly #storage: ShardStorage
  readonly #shards: () => Namespace<ShardStub>
  readonly #open: (dimension: number) => Promise<Nidus>
  readonly #fences: Fences
  #db: Promise<Nidus> | undefined
  #kept: Kept | undefined
  /** Resolves once the newest layout is on the disk and the calls of the previous layout are done. */
  #noted: Promise<unknown> = Promise.resolve()
  #moved = 0
  /** True if a move or a write did not come to its end. Some records may then be in two shards. */
  #torn = false
  /** The shards that may still receive something that was given up. */
  readonly #unsure = new Set<number>()
  /** The waits for other shards, and when they began. */
  readonly #waiting = new Map<object, { index: number; since: number }>()
  /** A number that changes with each restart of the object. */
  #epoch = 0
  #turn = 0
  readonly #ready: Promise<void>
  #running = 0
  /** The writes that must end before a newer layout takes effect. */
  readonly #writing = new Set<Promise<unknown>>()
  #leaving: Promise<unknown> = Promise.resolve()
  #leavers = 0
  #arriving: Promise<unknown> = Promise.resolve()

  constructor(storage: ShardStorage, shards: () => Namespace<ShardStub>, open: (dimension: number) => Promise<Nidus>) {
    this.#storage = storage
    this.#shards = shards
    this.#open = open
    this.#fences = new Fences(storage)
    this.#ready = this.#wake()
    this.#ready.catch(() => {})
  }

  async #wake() {
    this.#kept = await this.#storage.get<Kept>('nidus-shard')
    await this.#fences.wake()
    this.#torn = this.#source
    // An earlier life of this object may have sent anything.
    if (this.#torn)
      for (let index = this.#kept!.layout.from; index < this.#kept!.layout.to; index++) this.#unsure.add(index)
    this.#epoch = ((await this.#storage.get<number>('nidus-epoch')) ?? 0) + 1
    await this.#storage.put('nidus-epoch', this.#epoch)
  }

  async call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>> {
    // Calls between shards do not wait for calls from outside. Otherwise two shards could wait for each other.
    const inner = whom.sender !== undefined || method === 'layout' || method === 'move'
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
      if (!WRITES.has(method)) return { ok: await this.#do(whom, method, args) }
      if (whom.client) await this.#fences.passClient(whom.client)
      const write = this.#do(whom, method, args)
      this.#writing.add(write)
      return { ok: await write.finally(() => this.#writing.delete(write)) }
    } catch (error) {
      if (error instanceof Stale) return { stale: error.layout, done: error.done }
      const known = error instanceof NidusError || error instanceof ShardedError
      const shards = error instanceof ShardedError && error.shards.length ? error.shards : [whom.index]
      return {
        error: {
          code: known ? (error as AnyError).code : 'SHARD_FAILED',
          message: `shard ${whom.index}: ${(error as Error)?.message ?? error}`,
          shards,
        },
      }
    } finally {
      this.#running--
    }
  }

  /** Keeps a newer layout. If its own layout is newer, returns that. */
  async #note({ name, index, layout }: Pick<Whom, 'name' | 'index' | 'layout'>): Promise<Layout | undefined> {
    const kept = this.#kept
    if (kept && (kept.name !== name || kept.index !== index))
      throw new ShardedError('INVALID_ARGUMENT', `this is shard ${kept.index} of ${kept.name}, not ${index} of ${name}`)
    if (!kept || kept.layout.version < layout.version) {
      const now = (this.#kept = { name, index, layout })
      // From here on, calls of the older layout are refused. Those that came before end before anything else begins.
      this.#noted = Promise.all([this.#noted, this.#arriving, this.#storage.put('nidus-shard', now)]).catch(
        (error: unknown) => {
          if (this.#kept === now) this.#kept = kept
          throw error
        },
      )
      this.#unsure.clear()
      this.#torn = false
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
    const patience = Math.min(PEER_MS, (whom.timeout ?? TIMEOUT_MS) / 2)
    switch (method) {
      case 'upsert':
        return this.#write(patience, ...(args as Parameters<Calls['upsert']>))
      case 'delete':
        return this.#delete(patience, ...(args as Parameters<Calls['delete']>))
      case 'deleteWhere':
        return this.#deleteWhere(patience, ...(args as Parameters<Calls['deleteWhere']>))
      case 'get': {
        const [collection, ids] = args as Parameters<Calls['get']>
        return fitting(ids, (some) => this.#get(patience, collection, some))
      }
      case 'search':
        return search(db, ...(args as Parameters<Calls['search']>))
      case 'count':
        return this.#count(patience)
      case 'stats':
        return { ...(await db.footprint()), epoch: this.#epoch }
      case 'collections':
        return db.collections()
      case 'compact':
        return (await db.compact(), null)
      // Writes of an older layout must end first. They may put records here that now have to leave.
      case 'layout':
        return (await Promise.allSettled(this.#writing), null)
      case 'move':
        return this.#move(patience)
      case 'find': {
        const [collection, ids] = args as Parameters<Calls['find']>
        return fitting(ids, (some) => find(db, collection, some))
      }
      case 'has':
        return (await find(db, ...(args as Parameters<Calls['has']>))).map((record) => record !== null)
      case 'put':
      case 'adopt':
      case 'remove':
        return this.#arrive(whom, method, ...(args as [string, (Sent & string)[]]))
      default:
        throw new ShardedError('UNSUPPORTED', `this version knows no call ${String(method)}`)
    }
  }

  async #inParts(args: Parameters<Calls['search']>): Promise<Answer<Hit[][]>> {
    const all = partsOfHits(await search(await this.#store(), ...args))
    const ok = all.shift()!
    return all.length ? { ok, more: async () => all.shift() ?? null } : { ok }
  }

  /** Calls another shard. If it is not known whether a write got there, it may still arrive: this is remembered. */
  async #peer<M extends Call>(
    patience: number,
    index: number,
    method: M,
    ...args: Parameters<Calls[M]>
  ): Promise<ReturnType<Calls[M]>> {
    const { name, index: own, layout } = this.#kept!
    const key = {}
    this.#waiting.set(key, { index, since: Date.now() })
    const write = ARRIVALS.has(method)
    if (write) this.#unsure.add(index)
    try {
      const answer = shardAt(this.#shards(), name, index).call(
        { name, index, layout, sender: { index: own, epoch: this.#epoch, turn: ++this.#turn } },
        method,
        args,
      )
      const found = await within(unwrap<ReturnType<Calls[M]>>(answer), patience, () =>
        silent(`shard ${index}`, patience, [index]),
      )
      if (write) this.#unsure.delete(index)
      return found
    } catch (error) {
      if (isTooLarge(error)) throw new ShardedError('CAPACITY', 'a call carries 32 MiB at most', [own])
      if (error instanceof Stale) await this.#note({ name, index: own, layout: error.layout })
      throw error instanceof ShardedError || error instanceof Stale
        ? error
        : new ShardedError('SHARD_FAILED', `shard ${index} did not answer: ${(error as Error)?.message ?? error}`, [
            index,
          ])
    } finally {
      this.#waiting.delete(key)
    }
  }

  /** Runs one after the other all that sends records away: moves and writes. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#leavers++
    const counted = async () => {
      // The number is odd while a record is on its way, so that nobody counts it twice.
      this.#moved++
      try {
        return await work()
      } catch (error) {
        this.#torn ||= this.#source
        throw error
      } finally {
        this.#moved++
        this.#leavers--
      }
    }
    const run = this.#leaving.then(counted, counted)
    this.#leaving = run.catch(() => {})
    return run
  }

  /** True if records may have to leave this shard. */
  get #source() {
    return (
      this.#kept !== undefined &&
      this.#kept.index < this.#kept.layout.from &&
      this.#kept.layout.from < this.#kept.layout.to
    )
  }

  #ownerOf = (collection: string, id: string) => placeOf(collection, id, this.#kept!.layout.to)

  /** Writes each record where it belongs. A record that belongs elsewhere is there before it is removed here. */
  async #write(patience: number, collection: string, records: Sent[]): Promise<number> {
    const groups = groupBy(records, ({ id }) => this.#ownerOf(collection, id))
    const { index } = this.#kept!
    const mine = groups.get(index)
    groups.delete(index)
    const db = await this.#store()
    if (mine) await db.upsert(collection, mine)
    if (groups.size > 0) {
      await this.#alone(async () => {
        await settled([...groups].map(([other, group]) => this.#peer(patience, other, 'put', collection, group)))
        await db.delete(
          collection,
          [...groups.values()].flat().map(({ id }) => id),
        )
      })
    }
    return records.length
  }

  async #delete(patience: number, collection: string, ids: string[]): Promise<number> {
    const groups = groupBy(ids, (id) => this.#ownerOf(collection, id))
    const { index } = this.#kept!
    const mine = groups.get(index) ?? []
    groups.delete(index)
    const db = await this.#store()
    let deleted = mine.length ? await db.delete(collection, mine) : 0
    if (groups.size === 0) return deleted
    try {
      await this.#alone(() =>
        settled(
          [...groups].map(async ([other, group]) => {
            const here = new Set((await find(db, collection, group)).flatMap((record) => (record ? [record.id] : [])))
            deleted += await this.#peer(
              patience,
              other,
              'remove',
              collection,
              group.filter((id) => !here.has(id)),
            )
            // The other shard may have copies of these, too. Each record counts once.
            if (here.size === 0) return
            await this.#peer(patience, other, 'remove', collection, [...here])
            deleted += await db.delete(collection, [...here])
          }),
        ),
      )
    } catch (error) {
      if (error instanceof Stale) error.done = deleted
      throw error
    }
    return deleted
  }

  async #deleteWhere(patience: number, collection: string, filter: Filter): Promise<number> {
    const db = await this.#store()
    const work = () => db.deleteWhere(collection, filter)
    // A message of another shard looks first and then writes. Nothing may come in between.
    if (this.#kept!.index >= this.#kept!.layout.from) return this.#inOrder(work)
    if (!this.#source) return work()
    return this.#alone(async () => {
      await this.#mend(patience)
      return work()
    })
  }

  /** Makes sure that nothing that was given up can arrive any more. */
  async #fence(patience: number) {
    await settled([...this.#unsure].map((other) => this.#peer(patience, other, 'remove', '', [])))
  }

  /**
   * Completes what did not come to its end: a record that is where it belongs is removed here. The other copy is never
   * older.
   */
  async #mend(patience: number) {
    await this.#fence(patience)
    if (!this.#torn) return
    const db = await this.#store()
    for (const collection of await db.collections()) {
      const leaving: string[] = []
      for await (const { id } of db.records(collection))
        if (this.#ownerOf(collection, id) !== this.#kept!.index) leaving.push(id)
      for (const [other, ids] of groupBy(leaving, (id) => this.#ownerOf(collection, id))) {
        for (let at = 0; at < ids.length; at += LOOK) {
          const some = ids.slice(at, at + LOOK)
          const there = await this.#peer(patience, other, 'has', collection, some)
          const gone = some.filter((_, n) => there[n])
          if (gone.length) await db.delete(collection, gone)
        }
      }
    }
    this.#torn = false
  }

  async #count(patience: number): Promise<ReturnType<Calls['count']>> {
    const db = await this.#store()
    if (this.#torn && this.#source && this.#leavers === 0) await this.#alone(() => this.#mend(patience))
    const now = Date.now()
    const waits = [
      ...new Set([...this.#waiting.values()].filter(({ since }) => now - since > SOON_MS).map(({ index }) => index)),
    ]
    return { count: await db.count(), moved: this.#torn && this.#source ? 1 : this.#moved, waits }
  }

  /** Looks here first, and then where the record may have gone meanwhile. */
  async #get(patience: number, collection: string, ids: string[]): Promise<(Sent | null)[]> {
    const found = await find(await this.#store(), collection, ids)
    const missing = ids.flatMap((id, n) => (found[n] || this.#ownerOf(collection, id) === this.#kept!.index ? [] : [n]))
    await Promise.all(
      [...groupBy(missing, (n) => this.#ownerOf(collection, ids[n]!))].map(async ([other, numbers]) => {
        while (numbers.length) {
          const there = await this.#peer(
            patience,
            other,
            'find',
            collection,
            numbers.map((n) => ids[n]!),
          )
          if (there.length === 0)
            throw new ShardedError('SHARD_FAILED', `shard ${other} gave no answer to what it was asked`, [other])
          there.forEach((record, i) => (found[numbers[i]!] = record))
          numbers = numbers.slice(there.length)
        }
      }),
    )
    return found
  }

  /**
   * Returns how many records were found that must leave. With 0, the last one has left. Some may have left by a write
   * before.
   */
  async #move(patience: number): Promise<number> {
    const db = await this.#store()
    const { index } = this.#kept!
    const until = Date.now() + patience
    for (const collection of await db.collections()) {
      const leaving: string[] = []
      for await (const { id } of db.records(collection)) {
        if (this.#ownerOf(collection, id) !== index && leaving.push(id) >= LOOK) break
      }
      for (let at = 0; at < leaving.length; at += BATCH) {
        await this.#alone(async () => {
          const records = (await find(db, collection, leaving.slice(at, at + BATCH))).filter(
            (record) => record !== null,
          )
          await settled(
            [...groupBy(records, ({ id }) => this.#ownerOf(collection, id))].map(async ([other, group]) => {
              for (const part of parts(group)) await this.#adopted(patience, other, collection, part)
            }),
          )
          if (records.length)
            await db.delete(
              collection,
              records.map(({ id }) => id),
            )
        })
        // The router must hear in time that the growth goes on.
        if (Date.now() > until) return leaving.length
      }
      if (leaving.length > 0) return leaving.length
    }
    if (this.#unsure.size > 0) await this.#alone(() => this.#fence(patience))
    this.#torn = false
    return 0
  }

  async #adopted(patience: number, other: number, collection: string, part: Sent[]) {
    try {
      await this.#peer(patience, other, 'adopt', collection, part)
    } catch (error) {
      if (!(error instanceof ShardedError) || error.code !== 'CAPACITY' || part.length > 1) throw error
      throw new ShardedError(
        'CAPACITY',
        `the record "${part[0]!.id.slice(0, 100)}" of "${collection}" is too large to move: a call carries 32 MiB. ` +
          'Write it anew with less in it, or delete it; the growth then goes on',
        error.shards,
      )
    }
  }

  /** Takes records from another shard, one call after the other. */
  #arrive(
    { sender, layout }: Whom,
    method: 'put' | 'adopt' | 'remove',
    collection: string,
    what: (Sent & string)[],
  ): Promise<number> {
    return this.#inOrder(async () => {
      // The growth that it belongs to may have ended while it waited for its turn.
      if (layout.version < this.#kept!.layout.version) throw new Stale(this.#kept!.layout)
      await this.#fences.pass(sender!)
      const db = await this.#store()
      if (what.length === 0) return 0
      if (method === 'remove') return db.delete(collection, what)
      const there =
        method === 'adopt'
          ? await find(
              db,
              collection,
              what.map(({ id }) => id),
            )
          : []
      const records = what.filter((_, n) => !there[n])
      if (records.length) await db.upsert(collection, records)
      return records.length
    })
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#arriving.then(work, work)
    this.#arriving = result.catch(() => {})
    return result
  }
}

async function find(db: Nidus, collection: string, ids: string[]): Promise<(Sent | null)[]> {
  if (!(await db.collections()).includes(collection)) return ids.map(() => null)
  return (await db.get(collection, ids)).map((record) => record ?? null)
}

async function search(db: Nidus, queries: Float32Array[], { collections, ...wanted }: Wanted): Promise<Hit[][]> {
  // A shard need not have every collection.
  const there = await db.collections()
  const asked =
    collections === undefined
      ? undefined
      : (Array.isArray(collections) ? collections : [collections]).filter((name) => there.includes(name))
  if (asked?.length === 0) return queries.map(() => [])
  return db.searchMany(queries, { ...wanted, ...(asked && { collections: asked }) })
}
