import { expect, it } from 'vitest'
import { Nidus, NidusError, type Attrs, type OpenOptions } from 'nidus-wasm'
import { D, codeOf, opener, vector, type Place } from './place'

/** Tests that what a caller passes is checked, copied and limited. */
export function inputTests(place: Place) {
  const open = opener(place)

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
    expect(message).toContain(`record 1 (id "x"): vector has 1 numbers, the store's dimension is ${D}: use the model`)
    const search = (query: unknown, options?: unknown) => codeOf(() => db.search(query as never, options as never))
    expect(await search([1])).toBe('DIMENSION_MISMATCH')
    expect(await search(vector(NaN))).toBe('INVALID_ARGUMENT')
    expect(await search('x')).toBe('INVALID_ARGUMENT')
    for (const topK of [-1, 1.5, NaN, Infinity, '3', null])
      expect(await search(vector(1), { topK }), String(topK)).toBe('INVALID_ARGUMENT')
    const holes = [, vector(1)] as number[][]
    expect(await codeOf(() => db.searchMany(holes))).toBe('INVALID_ARGUMENT')
    await expect(db.search(vector(1), { filter: { a: { $in: holes as never } } })).rejects.toThrow('undefined')
    // An object that has only a part of a signal's methods once stopped the queue for ever.
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
    // It is no error in a collection whose records have no lists, or with an operator that wants lists.
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
    expect(await db.upsert('c', { ids: ['t'], vectors: Float32Array.from(vector(0, 0, 1)) }, { transfer: true })).toBe(
      1,
    )
    expect((await db.search(vector(0, 0, 1), { topK: 1 }))[0]!.id).toBe('t')
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
}
