import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { NidusVectorStore } from 'nidus-wasm/langchain'
import { Segment, init } from 'nidus-wasm/segment'

/**
 * Returns a proxy like those of Vue's `reactive` and MobX's `observable`: objects and arrays that are read from it are
 * proxies, too, and other values are not.
 */
function deep<T extends object>(target: T): T {
  return new Proxy(target, {
    get(of, key, receiver) {
      const value = Reflect.get(of, key, receiver) as unknown
      const kind = Object.prototype.toString.call(value)
      return kind === '[object Object]' || kind === '[object Array]' ? deep(value as object) : value
    },
  })
}

it.each([
  ['a plain proxy', (db: Nidus) => new Proxy(db, {})],
  ['a deep one', deep],
  ['an object that inherits from it', (db: Nidus) => Object.create(db) as Nidus],
])('a store works through %s', async (_, wrap) => {
  const db = wrap(await Nidus.open('x', { storage: 'memory', dimension: 2 }))
  expect([db.dimension, db.storage, db.recovery.created]).toEqual([2, 'memory', true])
  await db.createCollection('other')
  await db.setMeta('c', { a: 'b' })
  expect(
    await db.upsert('c', [
      { id: 'a', vector: [1, 0], attrs: { n: 1 } },
      { id: 'b', vector: [0, 1] },
    ]),
  ).toBe(2)
  expect(await db.upsert('c', { ids: ['d'], vectors: new Float32Array([1, 1]) })).toBe(1)
  expect((await db.search([1, 0], { topK: 1, withVectors: true })).map(({ id, vector }) => [id, [...vector!]])).toEqual(
    [['a', [1, 0]]],
  )
  expect(
    (
      await db.searchMany(
        [
          [1, 0],
          [0, 1],
        ],
        { topK: 1 },
      )
    )
      .flat()
      .map(({ id }) => id),
  ).toEqual(['a', 'b'])
  expect((await db.get('c', ['a', 'none'])).map((found) => found?.attrs)).toEqual([{ n: 1 }, undefined])
  const ids: string[] = []
  for await (const { id } of db.records('c')) ids.push(id)
  expect(ids).toEqual(['a', 'b', 'd'])
  expect([await db.collections(), await db.getMeta('c'), await db.hasCollection('c'), await db.count()]).toEqual([
    ['c', 'other'],
    { a: 'b' },
    true,
    3,
  ])
  expect([await db.delete('c', ['a']), await db.deleteWhere('c', {}), await db.dropCollection('c')]).toEqual([
    1,
    2,
    true,
  ])
  await db.flush()
  await db.compact()
  expect((await db.footprint()).rows).toBe(0)
  expect((await new Response(db.export()).arrayBuffer()).byteLength).toBeGreaterThan(1024)
  await db.close()
  expect(await db.closed).toEqual({ reason: 'closed' })
})

it.each([
  ['a plain proxy', <T extends object>(of: T) => new Proxy(of, {})],
  ['a deep one', deep],
])('a segment works through %s', async (_, wrap) => {
  await init()
  const segment = wrap(Segment.inMemory(2))
  expect(segment.append(new Float32Array([1, 0, 0, 1]))).toBe(0)
  expect([
    segment.rowCount,
    [...segment.row(1)],
    segment.search(new Float32Array([0, 1]), { topK: 1 }).map(({ row }) => row),
  ]).toEqual([2, [0, 1], [1]])
  segment.truncateTo(1)
  segment.sync()
  segment.close()
  expect(() => segment.rowCount).toThrow('the segment is closed')
})

it.each([
  ['a plain proxy', <T extends object>(of: T) => new Proxy(of, {})],
  ['a deep one', deep],
])("LangChain's adapter works through %s", async (_, wrap) => {
  const embed = async (text: string) => (text === 'a' ? [1, 0] : [0, 1])
  const embeddings = { embedQuery: embed, embedDocuments: (texts: string[]) => Promise.all(texts.map(embed)) }
  const db = await Nidus.open('x', { storage: 'memory', dimension: 2 })
  const store = wrap(new NidusVectorStore(embeddings as never, { db: db as never }))
  expect(
    await store.addDocuments(
      [
        { pageContent: 'a', metadata: {} },
        { pageContent: 'b', metadata: {} },
      ],
      { ids: ['1', '2'] },
    ),
  ).toEqual(['1', '2'])
  expect((await store.similaritySearch('b', 1)).map(({ pageContent }) => pageContent)).toEqual(['b'])
  expect((await store.maxMarginalRelevanceSearch('a', { k: 1 })).map(({ id }) => id)).toEqual(['1'])
  await store.delete({ ids: ['1'] })
  expect(await db.count()).toBe(1)
  await db.close()
})
