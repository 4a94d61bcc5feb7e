import { NidusError } from '../errors.js'
import type { Filter, Hit, Nidus, NidusError as AnyError } from '../types/index.js'
import { placeOf, type Layout } from './layout.js'
import { groupBy, parts, partsOfIds, settled, shardAt, ShardedError, type Answer, type Call, type Calls, type Namespace, type Sent, type ShardStub, type Wanted, type Whom } from './words.js'

export interface ShardStorage {
  get<T>(key: string): Promise<T | undefined>
  put(key: string, value: unknown): Promise<void>
}

/** Requests under way in one shard: more are told to come again. */
const AT_ONCE = 64
/** Records of one move, and of one look for such. */
const BATCH = 100
const LOOK = 2000

interface Kept {
  name: string
  index: number
  layout: Layout
}

/** One object's share of a store. */
export class Shard {
  readonly #storage: ShardStorage
  readonly #shards: () => Namespace<ShardStub>
  readonly #open: (dimension: number) => Promise<Nidus>
  #db: Promise<Nidus> | undefined
  #kept: Kept | undefined
  #moved = 0
  /** A move or a write did not come to its end: what was to leave may be in two shards until a look finds nothing more that leaves. */
  #torn = false
  /** Which of its lives this is: what an earlier one sent and comes late is refused. */
  #epoch = 0
  #turn = 0
  readonly #heard = new Map<number, { epoch: number; turn: number }>()
  readonly #ready: Promise<void>
  #running = 0
  /** Writes that a newer layout may not overtake. */
  readonly #writing = new Set<Promise<unknown>>()
  #leaving: Promise<unknown> = Promise.resolve()
  #arriving: Promise<unknown> = Promise.resolve()

  constructor(storage: ShardStorage, shards: () => Namespace<ShardStub>, open: (dimension: number) => Promise<Nidus>) {
    this.#storage = storage
    this.#shards = shards
    this.#open = open
    this.#ready = this.#wake()
    this.#ready.catch(() => {})
  }

  async #wake() {
    this.#kept = await this.#storage.get<Kept>('nidus-shard')
    this.#torn = this.#source
    this.#epoch = ((await this.#storage.get<number>('nidus-epoch')) ?? 0) + 1
    await this.#storage.put('nidus-epoch', this.#epoch)
  }

  async call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>> {
    // What shards do among themselves is not held up by what is asked of them from outside: two could wait for each other.
    const inner = whom.sender !== undefined || method === 'layout' || method === 'move'
    if (!inner && this.#running >= AT_ONCE) return { error: { code: 'BUSY', message: `shard ${whom.index} has ${AT_ONCE} requests under way` } }
    this.#running++
    try {
      await this.#ready
      const stale = await this.#note(whom)
      if (stale && !inner) return { stale }
      if (method !== 'upsert' && method !== 'delete' && method !== 'deleteWhere') return { ok: await this.#do(whom, method, args) }
      const write = this.#do(whom, method, args)
      this.#writing.add(write)
      return { ok: await write.finally(() => this.#writing.delete(write)) }
    } catch (error) {
      const known = error instanceof NidusError || error instanceof ShardedError
      return { error: { code: known ? (error as AnyError).code : 'SHARD_FAILED', message: `shard ${whom.index}: ${(error as Error)?.message ?? error}` } }
    } finally {
      this.#running--
    }
  }

  /** Keeps a newer layout; returns the own one, if that is newer. */
  async #note({ name, index, layout }: Whom): Promise<Layout | undefined> {
    const kept = this.#kept
    if (kept && (kept.name !== name || kept.index !== index)) throw new ShardedError('INVALID_ARGUMENT', `this is shard ${kept.index} of ${kept.name}, not ${index} of ${name}`)
    if (kept && kept.layout.version > layout.version) return kept.layout
    if (kept?.layout.version === layout.version) return undefined
    this.#kept = { name, index, layout }
    await this.#storage.put('nidus-shard', this.#kept)
    return undefined
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
    switch (method) {
      case 'upsert': return this.#write(...(args as Parameters<Calls['upsert']>))
      case 'delete': return this.#delete(...(args as Parameters<Calls['delete']>))
      case 'deleteWhere': {
        const [collection, filter] = args as [string, Filter]
        // Records that are leaving: not between two of these steps.
        return this.#alone(() => db.deleteWhere(collection, filter))
      }
      case 'get': return this.#get(...(args as Parameters<Calls['get']>))
      case 'search': return search(db, ...(args as [Float32Array[], Wanted]))
      case 'count': return { count: await db.count(), moved: this.#torn ? 1 : this.#moved }
      case 'stats': return { ...(await db.footprint()), epoch: this.#epoch }
      case 'collections': return db.collections()
      case 'compact': return (await db.compact(), null)
      // Whoever wrote by an older one has to be done: what they take to be at home here may have to leave.
      case 'layout': return (await Promise.allSettled(this.#writing), null)
      case 'move': return this.#move()
      case 'find': return find(db, ...(args as [string, string[]]))
      case 'put': case 'adopt': case 'remove': return this.#arrive(whom, method, ...(args as [string, (Sent & string)[]]))
      default: throw new ShardedError('UNSUPPORTED', `this version knows no call ${String(method)}`)
    }
  }

  #peer<M extends Call>(index: number, method: M, ...args: Parameters<Calls[M]>): Promise<ReturnType<Calls[M]>> {
    const { name, index: own, layout } = this.#kept!
    return unwrap(shardAt(this.#shards(), name, index).call({ name, index, layout, sender: { index: own, epoch: this.#epoch, turn: ++this.#turn } }, method, args))
  }

  /** One after the other: what leaves, by a move or because it was written anew. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const counted = async () => {
      // Odd while something is on its way: whoever counts must not see it twice.
      this.#moved++
      try {
        return await work()
      } catch (error) {
        this.#torn ||= this.#source
        throw error
      } finally {
        this.#moved++
      }
    }
    const run = this.#leaving.then(counted, counted)
    this.#leaving = run.catch(() => {})
    return run
  }

  /** Whether records may have to leave from here. */
  get #source() {
    return this.#kept !== undefined && this.#kept.index < this.#kept.layout.from && this.#kept.layout.from < this.#kept.layout.to
  }

  #ownerOf = (collection: string, id: string) => placeOf(collection, id, this.#kept!.layout.to)

  /** Each where it belongs. What belongs elsewhere is there before it is gone from here. */
  async #write(collection: string, records: Sent[]): Promise<number> {
    const groups = groupBy(records, ({ id }) => this.#ownerOf(collection, id))
    const { index } = this.#kept!
    const mine = groups.get(index)
    groups.delete(index)
    const db = await this.#store()
    if (mine) await db.upsert(collection, mine)
    if (groups.size > 0) {
      await this.#alone(async () => {
        await settled([...groups].map(([other, group]) => this.#peer(other, 'put', collection, group)))
        await db.delete(collection, [...groups.values()].flat().map(({ id }) => id))
      })
    }
    return records.length
  }

  async #delete(collection: string, ids: string[]): Promise<number> {
    const groups = groupBy(ids, (id) => this.#ownerOf(collection, id))
    const { index } = this.#kept!
    const mine = groups.get(index) ?? []
    groups.delete(index)
    const db = await this.#store()
    let deleted = mine.length ? await db.delete(collection, mine) : 0
    if (groups.size > 0) {
      await this.#alone(async () => {
        const others = [...groups.values()].flat()
        const here = new Set((await find(db, collection, others)).flatMap((record) => (record ? [record.id] : [])))
        const there = await settled([...groups].map(async ([other, group]) => [group.filter((id) => here.has(id)).length, await this.#peer(other, 'remove', collection, group.filter((id) => !here.has(id))), await this.#peer(other, 'remove', collection, group.filter((id) => here.has(id)))] as const))
        await db.delete(collection, others)
        for (const [left, gone] of there) deleted += left + gone
      })
    }
    return deleted
  }

  /** First here, then where it may have gone since. */
  async #get(collection: string, ids: string[]): Promise<(Sent | null)[]> {
    const found = await find(await this.#store(), collection, ids)
    const missing = ids.flatMap((id, n) => (found[n] || this.#ownerOf(collection, id) === this.#kept!.index ? [] : [n]))
    await Promise.all([...groupBy(missing, (n) => this.#ownerOf(collection, ids[n]!))].map(async ([other, numbers]) => {
      for (const part of partsOfIds(numbers, this.#kept!.layout.dimension)) {
        const there = await this.#peer(other, 'find', collection, part.map((n) => ids[n]!))
        part.forEach((n, i) => (found[n] = there[i]!))
      }
    }))
    return found
  }

  /** How many were found that leave: with none, the last has left. Some may have left by a write before it came to them. */
  async #move(): Promise<number> {
    const db = await this.#store()
    const { index } = this.#kept!
    for (const collection of await db.collections()) {
      const leaving: string[] = []
      for await (const { id } of db.records(collection)) {
        if (this.#ownerOf(collection, id) !== index && leaving.push(id) >= LOOK) break
      }
      for (let at = 0; at < leaving.length; at += BATCH) {
        await this.#alone(async () => {
          const records = (await find(db, collection, leaving.slice(at, at + BATCH))).filter((record) => record !== null)
          await settled([...groupBy(records, ({ id }) => this.#ownerOf(collection, id))].map(async ([other, group]) => {
            for (const part of parts(group)) await this.#peer(other, 'adopt', collection, part)
          }))
          if (records.length) await db.delete(collection, records.map(({ id }) => id))
        })
      }
      if (leaving.length > 0) return leaving.length
    }
    this.#torn = false
    return 0
  }

  /** From another shard, one after the other. */
  async #arrive({ sender }: Whom, method: 'put' | 'adopt' | 'remove', collection: string, what: (Sent & string)[]): Promise<number> {
    const run = async () => {
      const { index, epoch, turn } = sender!
      const heard = this.#heard.get(index)
      if (heard && (epoch < heard.epoch || (epoch === heard.epoch && turn < heard.turn))) throw new ShardedError('ABORTED', `shard ${index} gave this up, and has sent something else since`)
      this.#heard.set(index, { epoch, turn })
      const db = await this.#store()
      if (what.length === 0) return 0
      if (method === 'remove') return db.delete(collection, what)
      const there = method === 'adopt' ? await find(db, collection, what.map(({ id }) => id)) : []
      const records = what.filter((_, n) => !there[n])
      if (records.length) await db.upsert(collection, records)
      return records.length
    }
    const result = this.#arriving.then(run, run)
    this.#arriving = result.catch(() => {})
    return result
  }
}

async function find(db: Nidus, collection: string, ids: string[]): Promise<(Sent | null)[]> {
  if (!(await db.collections()).includes(collection)) return ids.map(() => null)
  return (await db.get(collection, ids)).map((record) => record ?? null)
}

async function search(db: Nidus, queries: Float32Array[], { collections, ...wanted }: Wanted): Promise<Hit[][]> {
  // A shard need not have each collection.
  const there = await db.collections()
  const asked = collections === undefined ? undefined : (Array.isArray(collections) ? collections : [collections]).filter((name) => there.includes(name))
  if (asked?.length === 0) return queries.map(() => [])
  return db.searchMany(queries, { ...wanted, ...(asked && { collections: asked }) })
}

export async function unwrap<T>(answer: Promise<Answer<unknown>>): Promise<T> {
  const found = await answer
  if ('ok' in found) return found.ok as T
  if ('error' in found) throw new ShardedError(found.error.code, found.error.message)
  throw new ShardedError('SHARD_FAILED', 'a shard has a newer layout than its sender')
}
