import { describe, expect, it } from 'vitest'
import { Nidus, type CollectionChange, type OpenOptions, type StoreChange } from 'nidus-wasm'
import { codeOf, type Place } from './api'
import { EVERY_CASE, random } from './model'
import { until } from './until'

const D = 4
type Random = ReturnType<typeof random>

const one = (collection: string, change: Partial<CollectionChange>): StoreChange => ({
  collections: { [collection]: { upserted: 0, updated: 0, deleted: 0, ...change } },
  reset: false,
  local: true,
})
const without = ({ collections, ...rest }: StoreChange): StoreChange => ({
  ...rest,
  collections: Object.fromEntries(Object.entries(collections).map(([name, { ids: _, ...change }]) => [name, change])),
})

/**
 * A simple model of a store. `expected` has the events of the calls, in their order. `all` has, by collection and id,
 * the number of the call that wrote the record.
 */
class Model {
  readonly all = new Map<string, Map<string, number>>()
  readonly expected: StoreChange[] = []
  calls = 0

  #collection(name: string) {
    let found = this.all.get(name)
    if (!found) this.all.set(name, (found = new Map()))
    return found
  }
  /** Makes one random call on the store and on the model. Returns the call's promise and whether the call must fail. */
  any(db: Nidus, r: Random): { done: Promise<unknown>; fails: boolean } {
    const call = ++this.calls
    const name = r.pick(['a', 'b', '__proto__'])
    const ids = Array.from({ length: r.int(5) }, () => `${r.int(12)}`)
    const distinct = [...new Set(ids)]
    const tell = (change: Partial<CollectionChange>) => this.expected.push(one(name, change))
    const records = ids.map((id) => ({ id, vector: [1, call, 0, 0], attrs: { call } }))
    const had = distinct.filter((id) => this.all.get(name)?.has(id))
    switch (r.int(12)) {
      case 0: {
        if (!this.all.has(name)) tell({ created: true, ids: [] })
        this.#collection(name)
        return { done: db.createCollection(name), fails: false }
      }
      case 1: {
        if (this.all.delete(name)) tell({ dropped: true, ids: [] })
        return { done: db.dropCollection(name), fails: false }
      }
      case 2: {
        this.#collection(name)
        tell({ meta: true, ids: [] })
        return { done: db.setMeta(name, { call: `${call}` }), fails: false }
      }
      case 3:
      case 4: {
        if (had.length > 0) tell({ deleted: had.length, ids: had })
        for (const id of had) this.all.get(name)!.delete(id)
        return { done: db.delete(name, ids), fails: false }
      }
      case 5: {
        const old = [...(this.all.get(name) ?? [])].filter(([, at]) => at < call - 20).map(([id]) => id)
        if (old.length > 0) tell({ deleted: old.length, ids: old.sort() })
        for (const id of old) this.all.get(name)!.delete(id)
        return { done: db.deleteWhere(name, { call: { $lt: call - 20 } }), fails: false }
      }
      case 6:
      case 7: {
        const changes = ids.map((id) => ({ id, attrs: { call } }))
        const fails = had.length < distinct.length
        if (!fails && ids.length > 0) {
          tell({ updated: ids.length, ids: distinct })
          for (const id of ids) this.all.get(name)!.set(id, call)
        }
        return { done: db.update(name, changes), fails }
      }
      case 8: {
        // The call is aborted before it is staged, so the model does not change.
        const signal = AbortSignal.abort()
        return { done: db.upsert(name, records, { signal }), fails: true }
      }
      default: {
        const made = ids.length > 0 || !this.all.has(name)
        for (const id of ids) this.#collection(name).set(id, call)
        this.#collection(name)
        if (made) tell({ upserted: ids.length, ids: distinct })
        return { done: db.upsert(name, records), fails: false }
      }
    }
  }
}

/** Listens to a store. Returns the events that it gets, and what stops it. */
function collect(db: Nidus, options?: Parameters<Nidus['on']>[2]) {
  const told: StoreChange[] = []
  const stop = db.on('change', (change) => void told.push(change), options)
  return { told, stop }
}

/** Tests that listeners are told of the writes of a store, in the order of its calls. */
export function changesSuite(kind: string, place: Place) {
  const open = (name = place.fresh(), options: OpenOptions = {}) =>
    Nidus.open(name, { dimension: D, ...place.options(), ...options } as OpenOptions)
  const record = (id: string) => ({ id, vector: [1, 0, 0, 0] })

  describe(`the changes that are told over ${kind}`, () => {
    it('are those of a naive model, each once and in order, over any history', async () => {
      let events = 0
      for (let seed = 1; seed <= (EVERY_CASE ? 40 : 3); seed++) {
        const r = random(seed)
        const db = await open(undefined, { durability: seed % 3 === 0 ? 'relaxed' : 'strict' })
        const model = new Model()
        const [bare, full] = [collect(db), collect(db, { ids: true })]
        // A listener that reads the store finds at least what it was told.
        const stale: string[] = []
        const looks: Promise<void>[] = []
        let at = 0
        db.on(
          'change',
          ({ collections }) => {
            const before = ++at
            const [[name, { upserted, ids }]] = Object.entries(collections) as [[string, CollectionChange]]
            if (upserted === 0) return
            looks.push(
              db.get(name, ids!).then((records) => {
                // No record that it finds is older than the event.
                const wanted = full.told[before - 1]!.collections[name]!.ids!
                for (const [i, found] of records.entries())
                  if (found && (found.attrs['call'] as number) < calls[before - 1]!) stale.push(`${name} ${wanted[i]}`)
              }),
            )
          },
          { ids: true },
        )
        /** For each expected event, the number of its call. */
        const calls: number[] = []
        const writes: Promise<void>[] = []
        for (let round = 0; round < 40; round++) {
          for (let left = r.int(6); left >= 0; left--) {
            const { done, fails } = model.any(db, r)
            while (calls.length < model.expected.length) calls.push(model.calls)
            writes.push(
              done.then(
                () => expect(fails).toBe(false),
                (error: { code: string }) => expect([fails, error.code]).toContainEqual(true),
              ),
            )
          }
          if (r.next() < 0.7) await Promise.all(writes)
          if (r.next() < 0.05) await db.compact()
        }
        await Promise.all(writes)
        await until('all events', () => full.told.length >= model.expected.length)
        expect(full.told).toEqual(model.expected)
        expect(bare.told).toEqual(model.expected.map(without))
        await Promise.all(looks)
        expect(stale).toEqual([])
        events += full.told.length
        await db.close()
        expect(full.told.length).toBe(model.expected.length)
      }
      expect(events).toBeGreaterThan(100)
    })

    it('are told from the call of `on`, until `off`, the signal, or the function that it returns', async () => {
      const db = await open()
      await db.upsert('c', record('before'))
      const [off, signalled, returned, always] = [[], [], [], []] as string[][]
      const note = (list: string[]) => (change: StoreChange) => void list.push(change.collections['c']!.ids![0]!)
      const abort = new AbortController()
      const listener = note(off!)
      db.on('change', listener, { ids: true })
      // A listener that is added twice is called once.
      db.on('change', listener, { ids: true })
      const first = db.upsert('c', record('first'))
      db.on('change', note(signalled!), { ids: true, signal: abort.signal })
      const stop = db.on('change', note(returned!), { ids: true })
      db.on('change', note(always!), { ids: true })
      db.on('change', note([]), { signal: AbortSignal.abort() })
      await Promise.all([first, db.upsert('c', record('second'))])
      await until('the second event', () => always!.includes('second'))
      expect(off).toEqual(['first', 'second'])
      expect([signalled, returned].map((list) => list!.at(-1))).toEqual(['second', 'second'])
      db.off('change', listener)
      db.off('change', listener)
      abort.abort()
      stop()
      stop()
      await db.upsert('c', record('third'))
      await until('the third event', () => always!.includes('third'))
      expect([off, signalled, returned].map((list) => list!.at(-1))).toEqual(['second', 'second', 'second'])
      // `stop` belongs to an earlier registration, and does not end this one.
      db.on('change', listener, { ids: true })
      stop()
      await db.upsert('c', record('fourth'))
      await until('the fourth event', () => off!.includes('fourth'))
      await db.close()
    })

    it('are told anew after the last listener went', async () => {
      const db = await open()
      for (let i = 0; i < 5; i++) {
        const { told, stop } = collect(db, { ids: i % 2 === 0 })
        await db.upsert('c', record(`${i}`))
        await until('the event', () => told.length > 0)
        stop()
        await db.upsert('c', record(`unheard ${i}`))
        expect(told).toEqual([one('c', { upserted: 1, ...(i % 2 === 0 && { ids: [`${i}`] }) })])
      }
      await db.close()
    })

    it('tell of a large batch once, with all its ids', async () => {
      // The batch is so large that it is staged in slices.
      const dimension = 64
      const db = await open(undefined, { dimension })
      const { told } = collect(db, { ids: true })
      const ids = Array.from({ length: 20_000 }, (_, i) => `${i}`)
      await db.upsert('c', { ids, vectors: new Float32Array(dimension * ids.length).fill(1) })
      await db.deleteWhere('c', {})
      await until('both events', () => told.length === 2)
      expect(told.map(({ collections: { c } }) => [c!.upserted, c!.deleted, c!.ids!.length])).toEqual([
        [20_000, 0, 20_000],
        [0, 20_000, 20_000],
      ])
      expect(told[0]!.collections['c']!.ids).toEqual(ids)
      expect(told[1]!.collections['c']!.ids).toEqual([...ids].sort())
      await db.close()
    })

    it('give each listener an object of its own', async () => {
      const db = await open()
      const listener = (change: StoreChange) => void (change.collections['c']!.ids!.length = 0)
      db.on('change', listener, { ids: true })
      const { told } = collect(db, { ids: true })
      await db.upsert('c', record('a'))
      await until('the event', () => told.length > 0)
      expect(told).toEqual([one('c', { upserted: 1, ids: ['a'] })])
      await db.close()
    })

    it('refuse another event, what is no function, and after `close` nothing is told', async () => {
      const db = await open()
      for (const event of ['changes', '', undefined, null, 1, 'toString'])
        for (const call of [() => db.on(event as never, () => {}), () => db.off(event as never, () => {})])
          expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
      for (const listener of [undefined, null, {}, 'f', { handleEvent() {} }])
        for (const call of [() => db.on('change', listener as never), () => db.off('change', listener as never)])
          expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
      const { told } = collect(db)
      const last = db.upsert('c', record('a'))
      await db.close()
      await last
      expect(await codeOf(() => db.on('change', () => {}))).toBe('nothing thrown')
      expect(told).toEqual([])
    })
  })
}
