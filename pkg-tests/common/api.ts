import { describe, expect, it } from 'vitest'
import { Nidus, NidusError, type Attrs, type OpenOptions } from 'nidus-wasm'
import { Model, byBytes, filters, random, sameHits, someAttrs } from './model'

/** The place of a suite's stores. `again` opens the same name anew. Without it nothing outlives a store. */
export interface Place {
  fresh(): string
  options(): OpenOptions
  again: boolean
}

const D = 8
const vector = (...head: number[]) => [...head, ...Array<number>(D - head.length).fill(0)]

export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'nothing thrown'
  } catch (error) {
    if (error instanceof NidusError) return error.code
    throw error
  }
}

/**
 * A call that waits for nothing ends within this many turns of the event loop. A timer or a deadline would take
 * thousands.
 */
export const SOON = 200
/** How many turns the event loop made before the call ended. This measures "at once" without a clock. In Node. */
export async function turnsOf(work: Promise<unknown>) {
  let ended = false
  let turns = 0
  const end = () => void (ended = true)
  void work.then(end, end)
  for (; !ended; turns++) await new Promise((resolve) => setImmediate(resolve))
  return turns
}

/** Checks the promises of every kind of storage against a model. */
export function apiSuite(kind: string, place: Place) {
  const open = <A extends Attrs = Attrs>(name = place.fresh(), options: OpenOptions = {}) =>
    Nidus.open<A>(name, { dimension: D, ...place.options(), ...options } as OpenOptions)

  describe(`the API over ${kind}`, () => {
    it('stores, finds, replaces and deletes', async () => {
      const db = await open()
      expect(db.recovery).toEqual({ bytes: 0, frames: 0, logBytes: 0, dataBytes: 0, created: true, compacted: false })
      expect(db.dimension).toBe(D)
      expect(
        await db.upsert('c', [
          { id: 'a', vector: vector(1), attrs: { n: 1 } },
          { id: 'b', vector: vector(0, 1) },
        ]),
      ).toBe(2)
      const hits = await db.search(vector(2, 1), { withVectors: true })
      expect(hits.map(({ id }) => id)).toEqual(['a', 'b'])
      expect(hits[0]!.score).toBeCloseTo(2 / Math.sqrt(5), 6)
      expect(hits[0]!.attrs).toEqual({ n: 1 })
      expect([...hits[0]!.vector!]).toEqual(vector(1))
      expect((await db.search(vector(1)))[0]!.vector).toBeUndefined()
      await db.upsert('c', { ids: ['a'], vectors: Float32Array.from(vector(0, 0, 3)), attrs: [{ n: 2 }] })
      expect(await db.get('c', ['a', 'nobody', 'b'])).toEqual([
        { id: 'a', vector: Float32Array.from(vector(0, 0, 1)), attrs: { n: 2 } },
        undefined,
        { id: 'b', vector: Float32Array.from(vector(0, 1)), attrs: {} },
      ])
      expect(await db.delete('c', ['b', 'nobody', 'b'])).toBe(1)
      expect(await db.count('c')).toBe(1)
      expect(await db.dropCollection('c')).toBe(true)
      expect(await db.dropCollection('c')).toBe(false)
      expect(await db.search(vector(1))).toEqual([])
      await db.close()
    })

    it('keeps collections and their metadata', async () => {
      const db = await open()
      await db.createCollection('b')
      await db.createCollection('a')
      await db.createCollection('a')
      expect(await db.collections()).toEqual(['a', 'b'])
      expect(await db.hasCollection('a')).toBe(true)
      expect(await db.hasCollection('c')).toBe(false)
      await db.setMeta('a', { model: 'm', é: '' })
      expect(await db.getMeta('a')).toEqual({ model: 'm', é: '' })
      expect(await db.getMeta('nowhere')).toEqual({})
      await db.setMeta('a', {})
      expect(await db.getMeta('a')).toEqual({})
      await db.close()
    })

    it('gives back every value unchanged', async () => {
      const db = await open()
      const attrs: Attrs = {
        none: null,
        text: 'é\u{1f600}\uFEFF',
        empty: '',
        int: 42,
        negative: -7,
        biggest: Number.MAX_SAFE_INTEGER,
        float: 0.1,
        whole: 1e20,
        minusZero: -0,
        big: 2n ** 63n - 1n,
        small: -(2n ** 63n),
        asNumber: 5n,
        yes: true,
        no: false,
        date: new Date(1234567890123),
        before: new Date(-1),
        list: ['a', '', 'é'],
        nothing: [],
        ['__proto__']: 'own',
        constructor: 'x',
        '\uFEFFbom': 1,
      }
      await db.upsert('c', [{ id: '\uFEFFid', vector: vector(1), attrs: { ...attrs, skipped: undefined } }])
      const [hit] = await db.search(vector(1))
      expect(hit!.id).toBe('\uFEFFid')
      expect(hit!.attrs).toEqual({ ...attrs, asNumber: 5 })
      expect(Object.hasOwn(hit!.attrs, '__proto__')).toBe(true)
      expect(Object.getPrototypeOf(hit!.attrs)).toBe(Object.prototype)
      expect(Object.is(hit!.attrs['minusZero'], -0)).toBe(true)
      await db.close()
    })

    it('refuses bad input with a code, and takes no harm', async () => {
      const db = await open()
      await db.upsert('c', [{ id: 'good', vector: vector(1) }])
      const upsert = (batch: unknown) => codeOf(() => db.upsert('c', batch as never))
      expect(await upsert([{ id: 'x', vector: [1, 2, 3] }])).toBe('DIMENSION_MISMATCH')
      expect(await upsert({ ids: ['x'], vectors: new Float32Array(D + 1) })).toBe('DIMENSION_MISMATCH')
      for (const bad of [NaN, Infinity, -Infinity, 1e39, '1', null, undefined])
        expect(await upsert([{ id: 'x', vector: vector(bad as number) }]), String(bad)).toBe('INVALID_ARGUMENT')
      expect(await upsert([{ id: 'x', vector: vector(3e38, 3e38) }])).toBe('INVALID_ARGUMENT')
      expect(await upsert({ ids: ['x'], vectors: Float32Array.from(vector(NaN)) })).toBe('INVALID_ARGUMENT')
      for (const id of [1, null, undefined, {}, 'lone \uD800'])
        expect(await upsert([{ id, vector: vector(1) }]), String(id)).toBe('INVALID_ARGUMENT')
      for (const value of [NaN, Infinity, new Date(NaN), 2n ** 63n, [1], {}, () => 1, 'lone \uDC00', Symbol('s')]) {
        expect(await upsert([{ id: 'x', vector: vector(1), attrs: { value } }]), typeof value).toBe('INVALID_ARGUMENT')
      }
      for (const batch of [
        null,
        undefined,
        'x',
        7,
        [null],
        [undefined],
        { ids: 'x', vectors: new Float32Array(D) },
        { ids: ['x'], vectors: [1] },
        { ids: ['x'], vectors: new Float32Array(D), attrs: [] },
      ]) {
        expect(await upsert(batch), JSON.stringify(batch)).toBe('INVALID_ARGUMENT')
      }
      const message = await db
        .upsert('c', [
          { id: 'ok', vector: vector(1) },
          { id: 'x', vector: [1] },
        ])
        .catch((error: Error) => error.message)
      expect(message).toBe(`record 1 (id "x"): vector has 1 numbers, the store's dimension is ${D}`)
      const search = (query: unknown, options?: unknown) => codeOf(() => db.search(query as never, options as never))
      expect(await search([1])).toBe('DIMENSION_MISMATCH')
      expect(await search(vector(NaN))).toBe('INVALID_ARGUMENT')
      expect(await search('x')).toBe('INVALID_ARGUMENT')
      for (const topK of [-1, 1.5, NaN, Infinity, '3', null])
        expect(await search(vector(1), { topK }), String(topK)).toBe('INVALID_ARGUMENT')
      const holes = [, vector(1)] as number[][]
      expect(await codeOf(() => db.searchMany(holes))).toBe('INVALID_ARGUMENT')
      await expect(db.search(vector(1), { filter: { a: { $in: holes as never } } })).rejects.toThrow('undefined')
      // An object with only a part of a signal used to stop the queue for ever.
      expect(
        await codeOf(() =>
          db.upsert('c', [{ id: 'good', vector: vector(1) }], { signal: { addEventListener() {} } as never }),
        ),
      ).toBe('INVALID_ARGUMENT')
      for (const filter of [
        { $nope: 1 },
        { a: { $nope: 1 } },
        { a: {} },
        { a: undefined },
        { $and: {} },
        { a: { $in: 1 } },
        { a: { $exists: 1 } },
        { a: { $glob: 1 } },
        { a: NaN },
        { $not: 1 },
        'x',
        null,
        [],
      ]) {
        expect(await search(vector(1), { filter }), JSON.stringify(filter)).toBe('INVALID_ARGUMENT')
      }
      let deep: object = { a: 1 }
      for (let i = 0; i < 100; i++) deep = { $not: deep }
      expect(await search(vector(1), { filter: deep })).toBe('INVALID_ARGUMENT')
      await expect(db.search(vector(1), { filter: { year: { $near: 1 } } as never })).rejects.toThrow('$near')
      expect(await codeOf(() => db.get('c', 1 as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.delete('c', [1] as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.deleteWhere('c', undefined as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.setMeta('c', { a: 1 } as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.createCollection(7 as never))).toBe('INVALID_ARGUMENT')
      expect(await db.count()).toBe(1)
      expect((await db.search(vector(1)))[0]!.id).toBe('good')
      await db.close()
    })

    it('refuses strings for $in where a record has a list, and says what to use', async () => {
      const db = await open()
      const record = (id: string, tags: unknown) => ({ id, vector: vector(1), attrs: { tags } as Attrs })
      await db.upsert('texts', [record('a', 'x'), record('b', 'y')])
      await db.upsert('lists', [record('a', 'x'), record('b', ['x', 'y'])])
      const wanted = { tags: { $in: ['x', 5, null] } }
      for (const filter of [
        wanted,
        { tags: { $nin: ['x'] } },
        { $and: [{ n: 1 }, { $or: [wanted, {}] }] },
        { $not: wanted },
      ]) {
        for (const call of [
          () => db.search(vector(1), { filter }),
          () => db.search(vector(1), { filter, collections: ['texts', 'lists'], topK: 0 }),
          () => db.searchMany([vector(1), vector(0, 1)], { filter, collections: 'lists' }),
          () => db.search({ vector: vector(1) }, { filter, groupBy: 'tags' }),
          () => db.count('lists', filter),
          () => db.records('lists', { filter }).next(),
          () => db.deleteWhere('lists', filter),
        ])
          await expect(
            call().catch((error: NidusError) => `${error.code}: ${error.message}`),
            `${call}`,
          ).resolves.toMatch(/^INVALID_ARGUMENT: .*"tags".*\$containsAny/)
      }
      // Where no record has a list, and where lists are wanted, it is no error.
      expect(await db.search(vector(1), { filter: wanted, collections: 'texts' })).toHaveLength(1)
      expect(await db.count('texts', { tags: { $nin: ['x'] } })).toBe(1)
      expect(await db.count('lists', { tags: { $in: [['x', 'y'], 'x'] } })).toBe(2)
      expect(await db.count('lists', { tags: { $in: [] } })).toBe(0)
      expect(await db.count('lists', { tags: { $containsAny: ['x'] } })).toBe(1)
      expect(
        (await db.search({ vector: vector(1) }, { groupBy: 'tags', collections: 'lists' })).map(({ group }) => group),
      ).toEqual(['x', ['x', 'y']])
      await db.update('lists', [{ id: 'b', attrs: { tags: 'z' } }])
      expect(await db.count('lists', wanted)).toBe(1)
      expect(await db.deleteWhere('lists', wanted)).toBe(1)
      await db.close()
    })

    it('treats edge cases as documented', async () => {
      const db = await open()
      expect(await db.upsert('empty', [])).toBe(0)
      const given = new Float32Array(0)
      structuredClone(given.buffer, { transfer: [given.buffer] })
      expect(await db.upsert('empty', { ids: [], vectors: given })).toBe(0)
      class Odd extends Float32Array {
        static get [Symbol.species]() {
          return Array
        }
      }
      expect(await db.upsert('odd', { ids: ['o'], vectors: Odd.from(vector(0, 0, 1)) })).toBe(1)
      expect(await db.dropCollection('odd')).toBe(true)
      expect(await db.hasCollection('empty')).toBe(true)
      expect(
        await db.upsert('c', [
          { id: 'twice', vector: vector(1), attrs: { n: 1 } },
          { id: 'twice', vector: vector(0, 1), attrs: { n: 2 } },
        ]),
      ).toBe(2)
      expect(await db.count('c')).toBe(1)
      expect((await db.get('c', ['twice']))[0]!.attrs).toEqual({ n: 2 })
      await db.upsert('c', [{ id: 'zero', vector: vector(0) }])
      expect(await db.search(vector(1), { topK: 0 })).toEqual([])
      expect(await db.search(vector(1), { topK: 1e9 })).toHaveLength(2)
      expect(await db.search(vector(1), { collections: ['c', 'c', 'nowhere'] })).toHaveLength(2)
      expect(await db.search(vector(1), { collections: [] })).toEqual([])
      expect(await db.search(vector(1), { collections: 'nowhere' })).toEqual([])
      expect(await db.search(vector(0, 1), { minScore: 0.5 })).toHaveLength(1)
      expect(await db.searchMany([vector(0, 1), vector(1)], { topK: 1 })).toHaveLength(2)
      expect(await db.get('nowhere', ['a'])).toEqual([undefined])
      expect(await db.delete('nowhere', ['a'])).toBe(0)
      expect(await db.deleteWhere('nowhere', {})).toBe(0)
      for await (const _ of db.records('nowhere')) throw new Error('there is none')
      await db.close()
    })

    it('copies its input in the turn of the call', async () => {
      const db = await open()
      const columns = { ids: ['a'], vectors: Float32Array.from(vector(1)), attrs: [{ n: 1 }] }
      const record = { id: 'b', vector: Float32Array.from(vector(0, 1)), attrs: { n: 2 } }
      const writing = [db.upsert('c', columns), db.upsert('c', [record])]
      columns.vectors.fill(9)
      columns.ids[0] = 'changed'
      columns.attrs[0]!.n = 9
      record.vector.fill(9)
      record.attrs.n = 9
      await Promise.all(writing)
      const got = await db.get('c', ['a', 'b', 'changed'])
      expect(got.map((found) => [found?.id, found && [...found.vector], found?.attrs])).toEqual([
        ['a', vector(1), { n: 1 }],
        ['b', vector(0, 1), { n: 2 }],
        [undefined, undefined, undefined],
      ])
      expect(
        await db.upsert('c', { ids: ['t'], vectors: Float32Array.from(vector(0, 0, 1)) }, { transfer: true }),
      ).toBe(1)
      expect((await db.search(vector(0, 0, 1), { topK: 1 }))[0]!.id).toBe('t')
      await db.close()
    })

    it('agrees with a model after hundreds of random operations, a compaction and a reopen', async () => {
      const r = random(7)
      const model = new Model()
      const name = place.fresh()
      let db = await open(name)
      const check = async () => {
        expect(await db.collections()).toEqual([...model.all.keys()].sort(byBytes))
        for (const [collection, { meta, docs }] of model.all) {
          expect(await db.count(collection)).toBe(docs.size)
          expect(await db.getMeta(collection)).toEqual(meta)
          const records: string[] = []
          for await (const { id, attrs } of db.records(collection)) {
            records.push(id)
            expect(attrs).toEqual(docs.get(id)!.attrs)
          }
          expect(records).toEqual([...docs.keys()].sort(byBytes))
        }
        for (let i = 0; i < 3; i++) {
          const query = r.vector(D)
          sameHits(
            await db.search(query, { topK: 20 }),
            model.search(query, 20).map((hit) => hit),
            model.search(query, 1e9),
          )
        }
        for (const [what, filter, keep] of filters) {
          const query = r.vector(D)
          const want = model.search(query, 1e9, ['a', 'b'], keep)
          expect(await db.count('a', filter), what).toBe(
            [...(model.all.get('a')?.docs.values() ?? [])].filter(({ attrs }) => keep(attrs)).length,
          )
          sameHits(await db.search(query, { topK: 1000, collections: ['a', 'b'], filter }), want)
        }
      }
      for (let step = 0; step < 200; step++) {
        const collection = r.pick(['a', 'b', 'ü'])
        const kind = r.int(12)
        if (kind < 7) {
          const batch = Array.from({ length: r.int(8) }, () => ({
            id: `${collection}${r.int(60)}`,
            vector: r.vector(D),
            attrs: someAttrs(r),
          }))
          await db.upsert(collection, batch)
          for (const { id, vector, attrs } of batch) model.collection(collection).docs.set(id, { vector, attrs })
          model.collection(collection)
        } else if (kind < 9) {
          const ids = Array.from({ length: r.int(5) }, () => `${collection}${r.int(60)}`)
          const gone = new Set(ids.filter((id) => model.all.get(collection)?.docs.has(id)))
          expect(await db.delete(collection, ids)).toBe(gone.size)
          for (const id of gone) model.collection(collection).docs.delete(id)
        } else if (kind === 9) {
          const [, filter, keep] = r.pick(filters.slice(0, 19))
          const gone = [...(model.all.get(collection)?.docs ?? [])].filter(([, { attrs }]) => keep(attrs))
          expect(await db.deleteWhere(collection, filter)).toBe(gone.length)
          for (const [id] of gone) model.collection(collection).docs.delete(id)
        } else if (kind === 10) {
          const meta = { step: String(step) }
          await db.setMeta(collection, meta)
          model.collection(collection).meta = meta
        } else if (r.next() < 0.2) {
          expect(await db.dropCollection(collection)).toBe(model.all.delete(collection))
        }
        if (step % 50 === 49) await check()
      }
      const before = await db.footprint()
      await db.compact()
      const after = await db.footprint()
      expect(after.deadRows).toBe(0)
      expect(after.rows).toBe(before.docCount)
      expect(after.diskBytes).toBeLessThan(before.diskBytes)
      await check()
      await db.upsert('a', [{ id: 'after', vector: vector(1) }])
      model.collection('a').docs.set('after', { vector: Float32Array.from(vector(1)), attrs: {} })
      await check()
      await db.close()
      if (!place.again) return
      db = await open(name, { dimension: undefined as never })
      expect(db.recovery.created).toBe(false)
      await check()
      await db.close()
    })

    it('commits calls that are made together as one group, in their order', async () => {
      const db = await open()
      const calls = Array.from({ length: 1000 }, (_, i) =>
        db.upsert('c', [{ id: `${i % 500}`, vector: vector(i + 1, 1), attrs: { i } }]),
      )
      expect(await Promise.all(calls)).toEqual(Array(1000).fill(1))
      expect(await db.count('c')).toBe(500)
      expect((await db.get('c', ['0', '499'])).map((found) => found!.attrs)).toEqual([{ i: 500 }, { i: 999 }])
      await db.close()
    })

    it('writes a large batch as a whole, and reports its progress', async () => {
      const db = await open(undefined, { dimension: 256 })
      const count = 20_000
      const r = random(3)
      const vectors = Float32Array.from({ length: count * 256 }, () => r.next() - 0.5)
      const seen: [number, number][] = []
      const writing = db.upsert(
        'c',
        {
          ids: Array.from({ length: count }, (_, i) => `${i}`),
          vectors,
          attrs: Array.from({ length: count }, (_, i) => ({ i, s: 'x', l: ['a'], b: true, n: null })),
        },
        { onProgress: (done, total) => seen.push([done, total]) },
      )
      expect(await db.count()).toBe(0)
      expect(await writing).toBe(count)
      await expect.poll(() => seen.at(-1)).toEqual([count, count])
      expect(seen.length).toBeGreaterThan(2)
      expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).sort((a, b) => a - b))
      expect(await db.count()).toBe(count)
      const query = vectors.slice(77 * 256, 78 * 256)
      expect((await db.search(query, { topK: 1 }))[0]).toMatchObject({ id: '77', attrs: { i: 77, l: ['a'] } })
      const abort = new AbortController()
      const aborted = db.upsert(
        'other',
        { ids: Array.from({ length: count }, (_, i) => `${i}`), vectors },
        { signal: abort.signal, onProgress: () => abort.abort() },
      )
      expect(await codeOf(() => aborted)).toBe('ABORTED')
      await db.upsert('c', { ids: ['next'], vectors: query })
      expect(await db.hasCollection('other')).toBe(false)
      expect(await db.footprint()).toMatchObject({ docCount: count + 1, rows: count + 1 })
      await db.close()
    })

    it('aborts a write that has not begun', async () => {
      const db = await open()
      expect(
        await codeOf(() => db.upsert('c', [{ id: 'a', vector: vector(1) }], { signal: AbortSignal.abort() })),
      ).toBe('ABORTED')
      const abort = new AbortController()
      const calls = [
        db.upsert('c', [{ id: 'kept', vector: vector(1) }]),
        db.upsert('c', [{ id: 'gone', vector: vector(1) }], { signal: abort.signal }),
      ]
      abort.abort(new Error('mine'))
      expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
      await expect(calls[1]).rejects.toMatchObject({ code: 'ABORTED', cause: abort.signal.reason as Error })
      expect(await db.get('c', ['kept', 'gone'])).toMatchObject([{ id: 'kept' }, undefined])
      expect(await codeOf(() => db.search(vector(1), { signal: abort.signal }))).toBe('ABORTED')
      await db.close()
    })

    it('finishes the calls that it accepted, and refuses calls after close', async () => {
      const db = await open()
      const accepted = db.upsert('c', [{ id: 'a', vector: vector(1) }])
      const closing = db.close()
      expect(db.close()).toBe(closing)
      expect(await codeOf(() => db.upsert('c', []))).toBe('CLOSED')
      expect(await accepted).toBe(1)
      await closing
      expect(await db.closed).toEqual({ reason: 'closed' })
      for (const call of [
        () => db.search(vector(1)),
        () => db.count(),
        () => db.get('c', ['a']),
        () => db.flush(),
        () => db.compact(),
        () => db.footprint(),
        () => db.records('c').next(),
      ]) {
        expect(await codeOf(call)).toBe('CLOSED')
      }
      await db.close()
    })

    it('names options that are not available yet, and refuses unknown options', async () => {
      const fails = (options: object) => codeOf(() => open(undefined, options as OpenOptions))
      for (const options of [
        { memory: 'compact', workers: 2 },
        { storage: 'memory', memory: 'compact' },
      ])
        expect(await fails(options), JSON.stringify(options)).toBe('UNSUPPORTED')
      for (const options of [
        { dimension: 0 },
        { dimension: 65_537 },
        { dimension: 1.5 },
        { dimension: 'x' },
        { storage: 'floppy' },
        { durability: 'none' },
        { autoCompact: -1 },
        { autoCompact: 'x' },
        { maxVectorBytes: -1 },
        { compat: '1' },
        { memory: 'half' },
        { workers: 0 },
        { multiTab: 1 },
        { readOnly: 1 },
      ]) {
        expect(await fails(options), JSON.stringify(options)).toBe('INVALID_ARGUMENT')
      }
      expect(await codeOf(() => open(''))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => Nidus.open(7 as never))).toBe('INVALID_ARGUMENT')
    })

    it('enforces its limits', async () => {
      const db = await open(undefined, { maxVectorBytes: 2 * D * 4, compat: '0.3' })
      await db.upsert('c', [{ id: 'a', vector: vector(1) }])
      expect(await codeOf(() => db.upsert('c', [{ id: 'f', vector: vector(1), attrs: { x: 0.5 } }]))).not.toBe(
        'nothing thrown',
      )
      const results = await Promise.allSettled([
        db.upsert('c', [
          { id: 'b', vector: vector(1) },
          { id: 'c', vector: vector(1) },
        ]),
        db.upsert('c', [{ id: 'd', vector: vector(1) }]),
      ])
      expect(
        results.map((result) => (result.status === 'rejected' ? (result.reason as NidusError).code : result.value)),
      ).toEqual(['CAPACITY', 1])
      expect(await db.count()).toBe(2)
      await db.close()
    })

    if (!place.again) return

    it('acknowledges early with relaxed durability, and is durable after flush or close', async () => {
      const name = place.fresh()
      let db = await open(name, { durability: 'relaxed' })
      await Promise.all(Array.from({ length: 50 }, (_, i) => db.upsert('c', [{ id: `${i}`, vector: vector(1, i) }])))
      await db.flush()
      await db.upsert('c', [{ id: 'last', vector: vector(1) }])
      await db.compact()
      await db.upsert('c', [{ id: 'really', vector: vector(1) }])
      await db.close()
      db = await open(name)
      expect(await db.count()).toBe(52)
      expect(db.recovery.bytes).toBe(0)
      await db.close()
    })

    it('opens a store that exists, and refuses one that does not', async () => {
      const name = place.fresh()
      expect(await codeOf(() => open(name, { readOnly: true }))).toBe('NOT_FOUND')
      expect(await codeOf(() => Nidus.open(name, place.options()))).toBe('INVALID_ARGUMENT')
      const db = await open(name)
      await db.upsert('c', [{ id: 'a', vector: vector(1) }])
      expect(await codeOf(() => open(name, { multiTab: false }))).toBe('LOCKED')
      await db.close()
      expect(await codeOf(() => open(name, { dimension: D + 1 }))).toBe('DIMENSION_MISMATCH')
      const reader = await open(name, { readOnly: true })
      expect(await reader.count()).toBe(1)
      for (const call of [
        () => reader.upsert('c', []),
        () => reader.delete('c', ['a']),
        () => reader.createCollection('x'),
        () => reader.dropCollection('c'),
        () => reader.setMeta('c', {}),
        () => reader.compact(),
      ]) {
        expect(await codeOf(call)).toBe('READ_ONLY')
      }
      await reader.flush()
      const writer = await open(name)
      await writer.upsert('c', [{ id: 'b', vector: vector(0, 1) }])
      expect(await reader.count()).toBe(1)
      await writer.close()
      await reader.close()
    })

    it('compacts at open when enough rows are dead', async () => {
      const name = place.fresh()
      let db = await open(name)
      for (let i = 0; i < 10; i++) await db.upsert('c', [{ id: 'same', vector: vector(1, i) }])
      await db.close()
      db = await open(name, { autoCompact: false })
      expect((await db.footprint()).rows).toBe(10)
      expect(db.recovery.compacted).toBe(false)
      await db.close()
      db = await open(name, { readOnly: true })
      expect((await db.footprint()).rows).toBe(10)
      await db.close()
      db = await open(name)
      expect(db.recovery.compacted).toBe(true)
      expect(await db.footprint()).toMatchObject({ rows: 1, deadRows: 0 })
      await db.close()
      db = await open(name)
      expect(db.recovery.compacted).toBe(false)
      expect((await db.get('c', ['same']))[0]!.vector[1]).toBeGreaterThan(0.9)
      await db.close()
    })
  })
}
