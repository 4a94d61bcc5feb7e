import { expect, it } from 'vitest'
import type { Attrs } from 'nidus-wasm'
import { Model, byBytes, filters, random, sameHits, someAttrs } from './model'
import { D, codeOf, opener, vector, type Place } from './place'

/**
 * Tests that a store finds what was written: single records, groups, and the results of hundreds of random operations.
 */
export function dataTests(place: Place) {
  const open = opener(place)

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
    const ids = Array.from({ length: count }, (_, i) => `${i}`)
    const r = random(3)
    const vectors = Float32Array.from({ length: count * 256 }, () => r.next() - 0.5)
    const seen: [number, number][] = []
    const writing = db.upsert(
      'c',
      {
        ids,
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
    const aborted = db.upsert('other', { ids, vectors }, { signal: abort.signal, onProgress: () => abort.abort() })
    const outcome = await codeOf(() => aborted)
    // In a page, the store's worker may have written everything before it hears of the abort.
    const whole = 'document' in globalThis && outcome === 'nothing thrown'
    if (!whole) expect(outcome).toBe('ABORTED')
    const early = new AbortController()
    const never = db.upsert('never', { ids, vectors }, { signal: early.signal })
    early.abort()
    expect(await codeOf(() => never)).toBe('ABORTED')
    expect(await db.hasCollection('never')).toBe(false)
    await db.upsert('c', { ids: ['next'], vectors: query })
    expect(await db.hasCollection('other')).toBe(whole)
    const all = (whole ? 2 : 1) * count + 1
    expect(await db.footprint()).toMatchObject({ docCount: all, rows: all })
    await db.close()
  })
}
