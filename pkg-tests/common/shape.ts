import { describe, expect, it } from 'vitest'
import { Nidus, type Attrs, type OpenOptions } from 'nidus-wasm'
import { codeOf, type Place } from './api'
import { EVERY_CASE, byBytes, filters, random, someAttrs } from './model'

const D = 4

/** Returns random changes to attributes, and the attributes after them. */
function someChanges(r: ReturnType<typeof random>, attrs: Attrs): [changes: Attrs, after: Attrs] {
  const changes: Attrs = {}
  const fresh = someAttrs(r)
  for (const key of ['lang', 'year', 'path', 'tags', 'title', 'gone', 'new'])
    if (r.next() < 0.3) changes[key] = key === 'new' ? r.int(3) : fresh[key]
  const after = { ...attrs, ...changes }
  for (const key of Object.keys(after)) if (after[key] === undefined) delete after[key]
  return [changes, after]
}

/** Tests updates, single records and further kinds of arrays. */
export function shapeSuite(kind: string, place: Place) {
  const open = <A extends Attrs = Attrs>(name = place.fresh(), options: OpenOptions = {}) =>
    Nidus.open<A>(name, { dimension: D, ...place.options(), ...options } as OpenOptions)

  describe(`answers over ${kind}`, () => {
    it('tell how long the engine took, and are arrays like all others', async () => {
      const db = await open()
      await db.upsert('c', [{ id: 'a', vector: [1, 2, 3, 4], attrs: { n: 1 } }])
      const began = performance.now()
      const plain = await db.search([1, 2, 3, 4], { topK: 1 })
      const paged = await db.search([1, 2, 3, 4], { topK: 1, offset: 0, attrs: ['n'] })
      const alike = await db.similar('c', 'a')
      const waited = performance.now() - began
      for (const { took } of [plain, paged, alike]) {
        expect(took).toBeGreaterThanOrEqual(0)
        expect(took).toBeLessThanOrEqual(waited)
      }
      expect(Object.keys(plain)).toEqual(['0'])
      await db.close()
    })
  })

  describe(`updates and single records over ${kind}`, () => {
    it('changes attributes and not a bit of the vector', async () => {
      const name = place.fresh()
      let db = await open(name)
      await db.upsert('c', { id: 'a', vector: [1, 2, 3, 4], attrs: { old: 1, kept: 'x', list: ['p'] } })
      await db.upsert('c', [{ id: 'b', vector: [0, 0, 0, 0] }])
      const before = await db.get('c', ['a', 'b'])
      const { rows } = await db.footprint()
      expect(await db.update('c', { id: 'a', attrs: { old: undefined, pinned: true, list: ['q', 'r'] } })).toBe(1)
      expect(
        await db.update('c', [
          { id: 'b', attrs: { n: 1, when: new Date(5) } },
          { id: 'a', attrs: { n: 2n ** 60n, f: 0.5 } },
          { id: 'b', attrs: { n: null } },
        ]),
      ).toBe(3)
      expect(await db.update('c', [])).toBe(0)
      const expected = [
        {
          id: 'a',
          vector: before[0]!.vector,
          attrs: { f: 0.5, kept: 'x', list: ['q', 'r'], n: 2n ** 60n, pinned: true },
        },
        { id: 'b', vector: before[1]!.vector, attrs: { n: null, when: new Date(5) } },
      ]
      expect(await db.get('c', ['a', 'b'])).toEqual(expected)
      expect(await db.footprint()).toMatchObject({ rows, deadRows: 0, docCount: 2 })
      if (place.again) {
        await db.close()
        db = await open(name)
        expect(await db.get('c', ['a', 'b'])).toEqual(expected)
      }
      await db.compact()
      expect(await db.get('c', ['a', 'b'])).toEqual(expected)
      await db.close()
    })

    it('changes all records of a batch or none, and names unknown ids', async () => {
      const db = await open()
      await db.upsert('c', { id: 'a', vector: [1, 0, 0, 0], attrs: { n: 1 } })
      const changes = ['a', 'no', 'none'].map((id) => ({ id, attrs: { n: 2 } }))
      await expect(db.update('c', changes)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining('"no" "none"') as string,
      })
      expect(await codeOf(() => db.update('other', changes))).toBe('NOT_FOUND')
      expect(await db.collections()).toEqual(['c'])
      expect(await db.get('c', 'a')).toMatchObject({ attrs: { n: 1 } })
      for (const wrong of [
        { id: 'a', attrs: { n: NaN } },
        { id: 'a', vector: [1, 0, 0, 0], attrs: {} },
        { id: 1, attrs: {} },
        { id: 'a', attrs: 'x' },
        [{ id: 'a', attrs: { n: 3 } }, null],
        'a',
        undefined,
      ])
        expect(await codeOf(() => db.update('c', wrong as never)), JSON.stringify(wrong)).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.update('c', [], { progress: 1 } as never))).toBe('INVALID_ARGUMENT')
      const abort = AbortSignal.abort()
      expect(await codeOf(() => db.update('c', { id: 'a', attrs: { n: 3 } }, { signal: abort }))).toBe('ABORTED')
      expect(await db.get('c', 'a')).toMatchObject({ attrs: { n: 1 } })
      // Writes of one turn are one group. Each sees those before it. If one fails, the others are still made.
      const together = await Promise.allSettled([
        db.upsert('c', { id: 'x', vector: [0, 1, 0, 0] }),
        db.update('c', { id: 'x', attrs: { n: 1 } }),
        db.update('c', [
          { id: 'x', attrs: { n: 9 } },
          { id: 'y', attrs: { n: 9 } },
        ]),
        db.update('c', { id: 'x', attrs: { m: 2 } }),
        db.delete('c', 'a'),
        db.update('c', { id: 'a', attrs: {} }),
      ])
      expect(
        together.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as { code: string }).code)),
      ).toEqual([1, 1, 'NOT_FOUND', 1, 1, 'NOT_FOUND'])
      expect((await db.get('c', 'x'))!.attrs).toEqual({ m: 2, n: 1 })
      await db.close()
    })

    it('filters by what was updated', async () => {
      const r = random(7)
      const name = place.fresh()
      let db = await open(name)
      const docs = new Map<string, Attrs>()
      const put = async (from: number, count: number) => {
        const records = Array.from({ length: count }, (_, i) => ({
          id: `${from + i}`,
          vector: r.vector(D),
          attrs: someAttrs(r),
        }))
        await db.upsert('c', records)
        for (const { id, attrs } of records) docs.set(id, attrs)
      }
      await put(0, 150)
      for (let step = 0; step < (EVERY_CASE ? 60 : 12); step++) {
        const ids = Array.from({ length: 1 + r.int(20) }, () => r.pick([...docs.keys()]))
        const changes = ids.map((id) => {
          const [attrs, after] = someChanges(r, docs.get(id)!)
          docs.set(id, after)
          return { id, attrs }
        })
        await db.update('c', changes)
        if (step % 4 === 1) await put(r.int(200), 5)
        if (step % 5 === 2) await db.compact()
        if (step % 5 === 3 && place.again) {
          await db.close()
          db = await open(name)
        }
        for (let asked = 0; asked < 6; asked++) {
          const [what, filter, keep] = r.pick(filters)
          const want = [...docs].flatMap(([id, attrs]) => (keep(attrs) ? [id] : [])).sort(byBytes)
          const found = await db.search(r.vector(D), { filter, topK: 1000 })
          expect(found.map(({ id }) => id).sort(byBytes), what).toEqual(want)
          for (const { id, attrs } of found) expect(attrs).toEqual(docs.get(id))
          expect(await db.count('c', filter)).toBe(want.length)
          const walked: string[] = []
          for await (const { id } of db.records('c', { filter })) walked.push(id)
          expect(walked).toEqual(want)
        }
      }
      const [, filter, keep] = filters[0]!
      const want = [...docs].filter(([, attrs]) => keep(attrs))
      expect(await db.deleteWhere('c', filter)).toBe(want.length)
      expect(await db.count('c')).toBe(docs.size - want.length)
      await db.close()
    })

    it('takes one record, and gives one for one id', async () => {
      const db = await open()
      expect(await db.upsert('c', { id: 'a', vector: [3, 0, 4, 0], attrs: { n: 1 } })).toBe(1)
      expect(await db.get('c', 'a')).toEqual({ id: 'a', vector: new Float32Array([0.6, 0, 0.8, 0]), attrs: { n: 1 } })
      expect(await db.get('c', ['a'])).toHaveLength(1)
      expect(await db.get('c', 'b')).toBeUndefined()
      expect(await db.delete('c', 'b')).toBe(0)
      expect(await db.delete('c', 'a')).toBe(1)
      for (const wrong of [
        { id: 'a' },
        { id: 'a', ids: ['b'], vector: [1, 0, 0, 0] },
        { id: 'a', vector: [1] },
        {},
        'a',
      ])
        expect(await codeOf(() => db.upsert('c', wrong as never)), JSON.stringify(wrong)).toMatch(
          /INVALID_ARGUMENT|DIMENSION_MISMATCH/,
        )
      expect(await codeOf(() => db.get('c', 1 as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.delete('c', undefined as never))).toBe('INVALID_ARGUMENT')
      await db.close()
    })

    it('takes floats of every size, and lists of vectors', async () => {
      const db = await open()
      const numbers = [0.1, -2, 0, 1.5]
      const kinds: [string, { new (numbers: number[]): Float32Array } | undefined][] = [
        ['32', Float32Array],
        ['64', Float64Array as never],
        ['16', (globalThis as { Float16Array?: never }).Float16Array],
      ]
      for (const [what, Floats] of kinds) {
        if (!Floats) continue
        const given = new Floats(numbers)
        const kept = Float32Array.from(given)
        await db.upsert('want', { id: what, vector: kept })
        await db.upsert('record', { id: what, vector: given })
        for (const transfer of [false, true])
          await db.upsert('columns', { ids: [`${what} ${transfer}`], vectors: new Floats(numbers) }, { transfer })
        const want = (await db.get('want', what))!.vector
        expect((await db.get('record', what))!.vector).toEqual(want)
        expect((await db.get('columns', `${what} false`))!.vector).toEqual(want)
        expect((await db.get('columns', `${what} true`))!.vector).toEqual(want)
        expect(await db.search(given)).toEqual(await db.search(kept))
        expect(await db.searchMany([given, [1, 0, 0, 0]])).toEqual(await db.searchMany([kept, [1, 0, 0, 0]]))
      }
      const rows = [numbers, new Float32Array(numbers), new Float64Array(numbers)]
      expect(await db.upsert('lists', { ids: ['a', 'b', 'c'], vectors: rows, attrs: [{ n: 1 }, {}, {}] })).toBe(3)
      const want = (await db.get('want', '32'))!.vector
      expect((await db.get('lists', ['a', 'b', 'c'])).map((record) => record!.vector)).toEqual([want, want, want])
      expect(await db.upsert('lists', { ids: [], vectors: [] })).toBe(0)
      const wrong: [object, string][] = [
        [{ ids: ['a'], vectors: [] }, 'INVALID_ARGUMENT'],
        [{ ids: ['a'], vectors: [[1, 2]] }, 'DIMENSION_MISMATCH'],
        [{ ids: ['a'], vectors: [numbers.map(String)] }, 'INVALID_ARGUMENT'],
        [{ ids: ['a'], vectors: numbers }, 'INVALID_ARGUMENT'],
        [{ ids: ['a'], vectors: new Float64Array(3) }, 'DIMENSION_MISMATCH'],
        [{ ids: ['a'], vectors: new Int32Array(4) }, 'INVALID_ARGUMENT'],
        [{ ids: ['a'], vectors: new Float64Array([1e300, 0, 0, 0]) }, 'INVALID_ARGUMENT'],
        [{ ids: ['a', 'b'], vectors: [numbers, ,] }, 'INVALID_ARGUMENT'],
      ]
      for (const [batch, code] of wrong) expect(await codeOf(() => db.upsert('c', batch as never)), code).toBe(code)
      await db.close()
    })

    it('keeps vectors of zeros as native does: every score is 0', async () => {
      const db = await open()
      await db.upsert('c', [
        { id: 'zeros', vector: [0, 0, 0, 0] },
        { id: 'b', vector: [1, 0, 0, 0] },
      ])
      expect((await db.search([1, 0, 0, 0])).map(({ id, score }) => [id, score])).toEqual([
        ['b', 1],
        ['zeros', 0],
      ])
      expect((await db.search([0, 0, 0, 0])).map(({ id, score }) => [id, score])).toEqual([
        ['b', 0],
        ['zeros', 0],
      ])
      await db.close()
    })
  })
}
