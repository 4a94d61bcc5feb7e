import { NidusError } from '../errors/errors.js'
import type { Filter, Nidus } from '../types/index.js'
import { describe } from '../core/wire.js'
import { Serial } from '../runtime/serial.js'
import { groupBy, settled } from './batching.js'
import { shardError, Stale } from './errors.js'
import type { Fences } from './fences.js'
import { placeOf } from './layout.js'
import type { Kept, Peers } from './peers.js'
import type { Changed, Sent, Whom } from './protocol.js'
import { find } from './reads.js'
import { parts } from './sizes.js'

/** The most records that are moved at once. */
const BATCH = 100
/** The most records that are collected before some of them are moved. */
const LOOK = 2000

/** Makes the writes of one shard, moves its records to other shards, and takes records from them. */
export class Moves {
  readonly #kept: () => Kept
  readonly #store: () => Promise<Nidus>
  readonly #peers: Peers
  readonly #fences: Fences
  #moved = 0
  /** True if a move or a write was not completed. Some records may then be in two shards. */
  #unfinished = false
  readonly #leaving = new Serial()
  #leavers = 0
  readonly #arriving = new Serial()

  constructor(kept: () => Kept, store: () => Promise<Nidus>, peers: Peers, fences: Fences) {
    this.#kept = kept
    this.#store = store
    this.#peers = peers
    this.#fences = fences
  }

  /** Prepares for work after a restart. If the store is growing, messages from before the restart may still arrive. */
  wake() {
    this.#unfinished = this.#source
    if (!this.#unfinished) return
    const { from, to } = this.#kept().layout
    for (let index = from; index < to; index++) this.#peers.unsure.add(index)
  }

  /** Prepares for a newer layout. No message of an older one is accepted any more. */
  renew() {
    this.#peers.unsure.clear()
    this.#unfinished = false
  }

  /** Settles once the records that are arriving now are written. */
  get arriving(): Promise<unknown> {
    return this.#arriving.idle
  }

  /** Odd if records may be in two shards now. */
  get moved(): number {
    return this.#unfinished && this.#source ? 1 : this.#moved
  }

  /** Completes an interrupted move before records are counted, unless other work does so already. */
  async tidy(patience: number) {
    if (this.#unfinished && this.#source && this.#leavers === 0) await this.#alone(() => this.#mend(patience))
  }

  /** Runs work that sends records to other shards (moves and writes), one after the other. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#leavers++
    const counted = async () => {
      // The number is odd while a record is being moved, so that callers do not count the record twice.
      this.#moved++
      try {
        return await work()
      } catch (error) {
        this.#unfinished ||= this.#source
        throw error
      } finally {
        this.#moved++
        this.#leavers--
      }
    }
    return this.#leaving.run(counted)
  }

  /** True if records may have to leave this shard. */
  get #source() {
    const { index, layout } = this.#kept()
    return index < layout.from && layout.from < layout.to
  }

  ownerOf = (collection: string, id: string) => placeOf(collection, id, this.#kept().layout.to)

  /** Writes each record where it belongs. A record that belongs elsewhere is there before it is removed here. */
  async write(patience: number, collection: string, records: Sent[]): Promise<number> {
    const byOwner = groupBy(records, ({ id }) => this.ownerOf(collection, id))
    const { index } = this.#kept()
    const mine = byOwner.get(index)
    byOwner.delete(index)
    const db = await this.#store()
    if (mine) await db.upsert(collection, mine)
    if (byOwner.size > 0) {
      await this.#alone(async () => {
        await settled(
          [...byOwner].map(([other, theirs]) => this.#peers.call(patience, other, 'put', collection, theirs)),
        )
        await db.delete(
          collection,
          [...byOwner.values()].flat().map(({ id }) => id),
        )
      })
    }
    return records.length
  }

  /**
   * Changes records here and elsewhere. A record that belongs elsewhere and has not moved yet moves first. So it is
   * never changed in one of two copies.
   */
  async update(patience: number, collection: string, changes: Changed[]): Promise<number> {
    const byOwner = groupBy(changes, ({ id }) => this.ownerOf(collection, id))
    const { index } = this.#kept()
    const mine = byOwner.get(index)
    byOwner.delete(index)
    const db = await this.#store()
    if (byOwner.size === 0) return db.update(collection, changes)
    return this.#alone(async () => {
      const here = new Map<string, Sent>()
      // Finds all records before changing any of them.
      if (mine) absent(collection, mine, await find(db, collection, idsOf(mine)))
      for (const [other, theirs] of byOwner) {
        const ids = idsOf(theirs)
        const found: (Sent | boolean | null)[] = await find(db, collection, ids)
        for (const record of found) if (record) here.set((record as Sent).id, record as Sent)
        const missing = ids.flatMap((_, n) => (found[n] ? [] : [n]))
        if (missing.length > 0) {
          const there = await this.#peers.call(
            patience,
            other,
            'has',
            collection,
            missing.map((n) => ids[n]),
          )
          missing.forEach((n, i) => (found[n] = there[i]))
        }
        absent(collection, theirs, found)
      }
      await settled(
        [...byOwner].map(([other, theirs]) => this.#moveAndChange(patience, other, collection, theirs, here)),
      )
      if (mine) await db.update(collection, mine)
      return changes.length
    })
  }

  async #moveAndChange(
    patience: number,
    other: number,
    collection: string,
    theirs: Changed[],
    here: ReadonlyMap<string, Sent>,
  ) {
    const leaving = [...new Set(idsOf(theirs))].flatMap((id) => here.get(id) ?? [])
    for (const part of parts(leaving)) await this.#adopted(patience, other, collection, part)
    await this.#peers.call(patience, other, 'change', collection, theirs)
    if (leaving.length > 0) await (await this.#store()).delete(collection, idsOf(leaving))
  }

  async delete(patience: number, collection: string, ids: string[]): Promise<number> {
    const byOwner = groupBy(ids, (id) => this.ownerOf(collection, id))
    const { index } = this.#kept()
    const mine = byOwner.get(index) ?? []
    byOwner.delete(index)
    const db = await this.#store()
    let deleted = mine.length ? await db.delete(collection, mine) : 0
    if (byOwner.size === 0) return deleted
    try {
      await this.#alone(() =>
        settled(
          [...byOwner].map(async ([other, theirs]) => {
            const here = new Set((await find(db, collection, theirs)).flatMap((record) => (record ? [record.id] : [])))
            deleted += await this.#peers.call(
              patience,
              other,
              'remove',
              collection,
              theirs.filter((id) => !here.has(id)),
            )
            // The other shard may have copies of these, too. Each record counts once.
            if (here.size === 0) return
            await this.#peers.call(patience, other, 'remove', collection, [...here])
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

  async deleteWhere(patience: number, collection: string, filter: Filter): Promise<number> {
    const db = await this.#store()
    const work = () => db.deleteWhere(collection, filter)
    // A message of another shard reads first and then writes, and this must not run in between.
    if (this.#kept().index >= this.#kept().layout.from) return this.#arriving.run(work)
    if (!this.#source) return work()
    return this.#alone(async () => {
      await this.#mend(patience)
      return work()
    })
  }

  /** Makes sure that messages that were given up can no longer arrive. */
  async #fence(patience: number) {
    await settled([...this.#peers.unsure].map((other) => this.#peers.call(patience, other, 'remove', '', [])))
  }

  /**
   * Completes interrupted moves: removes records here that are already in the shard where they belong. The copy there
   * is never older.
   */
  async #mend(patience: number) {
    await this.#fence(patience)
    if (!this.#unfinished) return
    const db = await this.#store()
    for (const collection of await db.collections()) {
      const leaving: string[] = []
      for await (const { id } of db.records(collection))
        if (this.ownerOf(collection, id) !== this.#kept().index) leaving.push(id)
      for (const [other, ids] of groupBy(leaving, (id) => this.ownerOf(collection, id))) {
        for (let at = 0; at < ids.length; at += LOOK) {
          const some = ids.slice(at, at + LOOK)
          const there = await this.#peers.call(patience, other, 'has', collection, some)
          const gone = some.filter((_, n) => there[n])
          if (gone.length) await db.delete(collection, gone)
        }
      }
    }
    this.#unfinished = false
  }

  /**
   * Moves some of the records that belong to other shards. Returns how many such records it found: 0 once all have
   * left.
   */
  async move(patience: number): Promise<number> {
    const db = await this.#store()
    const { index } = this.#kept()
    const until = Date.now() + patience
    for (const collection of await db.collections()) {
      const leaving: string[] = []
      for await (const { id } of db.records(collection)) {
        if (this.ownerOf(collection, id) !== index && leaving.push(id) >= LOOK) break
      }
      for (let at = 0; at < leaving.length; at += BATCH) {
        await this.#alone(async () => {
          const records = (await find(db, collection, leaving.slice(at, at + BATCH))).filter(
            (record) => record !== null,
          )
          await settled(
            [...groupBy(records, ({ id }) => this.ownerOf(collection, id))].map(async ([other, theirs]) => {
              for (const part of parts(theirs)) await this.#adopted(patience, other, collection, part)
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
    if (this.#peers.unsure.size > 0) await this.#alone(() => this.#fence(patience))
    this.#unfinished = false
    return 0
  }

  async #adopted(patience: number, other: number, collection: string, part: Sent[]) {
    try {
      await this.#peers.call(patience, other, 'adopt', collection, part)
    } catch (error) {
      if (!(error instanceof NidusError) || error.code !== 'CAPACITY' || part.length > 1) throw error
      throw shardError(
        'CAPACITY',
        `the record "${part[0].id.slice(0, 100)}" of "${collection}" is too large to move: a call carries 32 MiB. ` +
          'Write it anew with less in it, or delete it; the growth then goes on',
        error.shards,
      )
    }
  }

  /** Takes records from another shard, one call after the other. */
  arrive(
    { sender, layout }: Whom,
    method: 'put' | 'adopt' | 'remove' | 'change',
    collection: string,
    what: (Sent & string & Changed)[],
  ): Promise<number> {
    return this.#arriving.run(async () => {
      // The growth may have ended while this call waited for its turn.
      if (layout.version < this.#kept().layout.version) throw new Stale(this.#kept().layout)
      await this.#fences.pass(sender!)
      const db = await this.#store()
      if (what.length === 0) return 0
      if (method === 'remove') return db.delete(collection, what)
      if (method === 'change') return db.update(collection, what)
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
}

const idsOf = (items: { id: string }[]) => items.map(({ id }) => id)

/** Throws NOT_FOUND if one of the records was not found. */
function absent(collection: string, changes: Changed[], found: unknown[]) {
  const at = changes.findIndex((_, n) => !found[n])
  if (at >= 0)
    throw new NidusError(
      'NOT_FOUND',
      `there is no record ${describe(changes[at].id)} in the collection ${describe(collection)}`,
    )
}
