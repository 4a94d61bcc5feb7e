import { describe, expect, it } from 'vitest'
import { Nidus, type Attrs, type Filter, type ListOptions } from 'nidus-wasm'
import { codeOf, type Place } from './api'
import { byBytes, EVERY_CASE, filters, Model, random, sameHits, someAttrs } from './model'

const D = 6

type Random = ReturnType<typeof random>

/** Returns a random value of any type. Some are often equal. */
const VALUES = (r: Random) =>
  r.pick<Attrs[string] | undefined>([
    undefined,
    undefined,
    null,
    r.next() < 0.5,
    r.int(5) - 2,
    r.int(4) + 0.5,
    0,
    9007199254740993n,
    new Date(1e12 + r.int(3)),
    r.pick(['', 'a', 'ab', 'B', 'é', '\u{1F600}', '\uFF21']),
    r.pick([[], ['a'], ['a', 'b'], ['b']]),
  ])

const TYPE = (value: unknown) =>
  value === null
    ? 0
    : typeof value === 'boolean'
      ? 1
      : typeof value === 'number' || typeof value === 'bigint'
        ? 2
        : value instanceof Date
          ? 3
          : typeof value === 'string'
            ? 4
            : 5

const TYPES = ['null', 'boolean', 'number', 'date', 'string', 'list']

/** Compares two values in the order that the types of `list` promise. The package does it in another way. */
function compare(a: unknown, b: unknown): number {
  if (TYPE(a) !== TYPE(b)) return TYPE(a) - TYPE(b)
  if (typeof a === 'string') return byBytes(a, b as string)
  if (Array.isArray(a)) {
    const at = a.findIndex((each, i) => each !== (b as string[])[i])
    if (at < 0) return a.length === (b as string[]).length ? 0 : -1
    return at >= (b as string[]).length ? 1 : byBytes(a[at] as string, (b as string[])[at]!)
  }
  const [x, y] = [a, b].map((value) => (value instanceof Date ? value.getTime() : value)) as [number, number]
  return x < y ? -1 : x > y ? 1 : 0
}

function ordered(docs: Map<string, { attrs: Attrs }>, orderBy: { [key: string]: 'asc' | 'desc' }) {
  return [...docs].sort(([a, x], [b, y]) => {
    for (const [key, direction] of Object.entries(orderBy)) {
      const [left, right] = [x.attrs[key], y.attrs[key]]
      if (left === undefined || right === undefined) {
        if (left === right) continue
        return left === undefined ? 1 : -1
      }
      const order = compare(left, right)
      if (order !== 0) return direction === 'desc' ? -order : order
    }
    return byBytes(a, b)
  })
}

/** Tests lists, and the shapes of answers to a vector, against a naive model. No collection has text settings. */
export function listSuite(kind: string, place: Place) {
  const open = (name = place.fresh()) => Nidus.open(name, { dimension: D, ...place.options() })

  describe(`lists over ${kind}`, () => {
    it('explains why a filter matches nothing', async () => {
      const db = await open()
      await db.upsert('c', [
        { id: 'a', vector: [1, 0, 0, 0, 0, 0], attrs: { year: '2024', tags: ['x'], n: 1 } },
        { id: 'b', vector: [0, 1, 0, 0, 0, 0], attrs: { year: '2025', n: null } },
      ])
      await db.upsert('other', { id: 'a', vector: [1, 0, 0, 0, 0, 0], attrs: { year: 2024 } })
      const why = async (filter: Filter) => {
        const collections = 'c'
        const { explain } = await db.search([1, 0, 0, 0, 0, 0], { collections, filter, explain: true })
        const answers = [
          (await db.similar('other', 'a', { collections, filter, explain: true })).explain,
          (await db.list('c', { filter, explain: true })).explain,
          (await db.list('c', { filter, explain: true, limit: 0, orderBy: 'n' })).explain,
          (await db.search([1, 0, 0, 0, 0, 0], { collections, filter, explain: true, topK: 0 })).explain,
        ]
        for (const answer of answers) expect(answer).toEqual(explain)
        return explain
      }
      expect(await why({ year: { $gte: 2024 } })).toEqual([
        {
          key: 'year',
          records: 2,
          types: { string: 2 },
          note: 'no record has a number under "year", 2 have a string',
        },
      ])
      expect(await why({ lang: 'de', tags: 'x' })).toEqual([
        { key: 'lang', records: 0, types: {}, note: 'no record has the attribute "lang"' },
        {
          key: 'tags',
          records: 1,
          types: { list: 1 },
          note: 'no record has a string under "tags", 1 has a list; $contains and $containsAny look into lists',
        },
      ])
      const n = { key: 'n', records: 2, types: { null: 1, number: 1 } }
      expect(await why({ $or: [{ n: { $gt: 5 } }, { n: null }, { $not: { n: 'x' } }] })).toEqual([n])
      expect(await why({ n: { $in: ['x', true] } })).toEqual([
        { ...n, note: 'no record has a string or a boolean under "n", 1 has null, 1 has a number' },
      ])
      expect(await why({ n: { $ne: 'x', $exists: true, $nin: ['y'] }, tags: { $contains: 'y' } })).toEqual([
        n,
        { key: 'tags', records: 1, types: { list: 1 } },
      ])
      expect(await why({})).toEqual([])
      expect((await db.search([1, 0, 0, 0, 0, 0], { filter: { lang: 'de' } })).explain).toBeUndefined()
      expect(await codeOf(() => db.list('c', { explain: 1 } as never))).toBe('INVALID_ARGUMENT')
      await db.close()
    })

    it('gives the answers of a naive model, over any history', { timeout: 1_200_000 }, async () => {
      for (let seed = 1; seed <= (EVERY_CASE ? 40 : 4); seed++) {
        const r = random(seed)
        const name = place.fresh()
        let db = await open(name)
        const model = new Model()
        for (let act = 0; act < (EVERY_CASE ? 60 : 30); act++) {
          const collection = r.pick(['a', 'a', 'b'])
          const { docs } = model.collection(collection)
          const choice = r.int(10)
          if (choice < 4) {
            const records = Array.from({ length: 1 + r.int(30) }, () => {
              const attrs = someAttrs(r)
              const value = VALUES(r)
              if (value !== undefined) attrs['any'] = value
              return { id: r.pick(['', 'é', '\u{1F600}', '\uFF21']) + r.int(40), vector: r.vector(D), attrs }
            })
            await db.upsert(collection, records)
            for (const { id, vector, attrs } of records) docs.set(id, { vector, attrs })
          } else if (choice === 4 && docs.size > 0) {
            const [id, doc] = r.pick([...docs])
            const any = VALUES(r)
            await db.update(collection, { id, attrs: { any, year: 1990 } })
            doc.attrs = { ...doc.attrs, year: 1990 }
            delete doc.attrs['any']
            if (any !== undefined) doc.attrs['any'] = any
          } else if (choice === 5) {
            const gone = [...docs.keys()].filter(() => r.next() < 0.2)
            await db.delete(collection, gone)
            for (const id of gone) docs.delete(id)
          } else if (choice === 6) await db.compact()
          else if (choice === 7 && place.again) {
            await db.close()
            db = await open(name)
          } else {
            for (let n = 0; n < 3; n++) await checkList(db, model, r)
            await checkShapes(db, model, r)
          }
        }
        expect(await db.footprint(), 'nobody searched for words').not.toHaveProperty('text')
        await db.close()
      }
    })

    it('finds groups that are far behind the best records', async () => {
      const db = await open()
      const ids = Array.from({ length: 300 }, (_, i) => `r${String(i).padStart(3, '0')}`)
      await db.upsert('c', {
        ids,
        vectors: ids.map((_, i) => [1, i / 300, 0, 0, 0, 0]),
        attrs: ids.map((_, i) => (i < 200 ? { group: 'near' } : i < 290 ? {} : { group: i % 2 ? 'odd' : 'even' })),
      })
      const search = (topK: number, size: number, more: object = {}) =>
        db
          .search([1, 0, 0, 0, 0, 0], { topK, groupBy: { key: 'group', size }, attrs: false, ...more })
          .then((hits) => hits.map(({ id }) => id))
      expect(await search(4, 1)).toEqual(['r000', 'r200', 'r290', 'r291'])
      expect(await search(2, 2, { offset: 1 })).toEqual(['r200', 'r201', 'r290', 'r292'])
      expect(await search(9, 1, { filter: { group: { $exists: true } } })).toEqual(['r000', 'r290', 'r291'])
      await db.close()
    })

    it('says what is wrong with a list, and with a record that is not there', async () => {
      const db = await open()
      await db.upsert('c', { id: 'a', vector: [1, 0, 0, 0, 0, 0], attrs: { year: 1 } })
      expect(await db.list('c')).toEqual([{ id: 'a', attrs: { year: 1 } }])
      expect(await db.list('nowhere')).toEqual([])
      expect(await db.list('c', { offset: 7 })).toEqual([])
      expect(await db.list('c', { limit: 0 })).toEqual([])
      expect(await db.list('c', { orderBy: 'absent' })).toHaveLength(1)
      const [record] = await db.list('c', { withVectors: true, attrs: false })
      expect(record).toEqual({ id: 'a', attrs: {}, vector: Float32Array.of(1, 0, 0, 0, 0, 0) })
      expect(await db.similar('c', 'a')).toEqual([])
      expect(await codeOf(() => db.similar('c', 'b'))).toBe('NOT_FOUND')
      await expect(db.similar('d', 'a')).rejects.toThrow(/"a".*"d"/)
      for (const options of [
        { orderBy: { year: 'down' } },
        { orderBy: 7 },
        { limit: -1 },
        { limit: 1.5 },
        { offset: -1 },
        { attrs: 'year' },
        { topK: 5 },
        { filter: { year: { $near: 1 } } },
      ])
        expect(await codeOf(() => db.list('c', options as ListOptions)), JSON.stringify(options)).toBe(
          'INVALID_ARGUMENT',
        )
      for (const id of [undefined, 7, ['a']])
        expect(await codeOf(() => db.similar('c', id as never))).toBe('INVALID_ARGUMENT')
      await db.close()
    })
  })
}

async function checkList(db: Nidus, model: Model, r: Random) {
  const [, filter, keep] = r.pick(filters)
  const collection = r.pick(['a', 'b'])
  const orderBy = r.pick<{ [key: string]: 'asc' | 'desc' }>([
    {},
    { any: 'asc' },
    { any: 'desc' },
    { year: 'desc' },
    { lang: 'asc', year: 'desc' },
    { tags: 'desc', any: 'asc' },
  ])
  const [offset, limit] = [r.pick([0, 0, 1, 7]), r.pick([undefined, 1, 5, 200])]
  const attrs = r.pick([undefined, ['year', 'any']])
  const withVectors = r.next() < 0.3
  const docs = new Map([...model.collection(collection).docs].filter(([, doc]) => keep(doc.attrs)))
  const got = await db.list(collection, { filter, orderBy, offset, limit, attrs, withVectors })
  const want = ordered(docs, orderBy).slice(offset, limit === undefined ? undefined : offset + limit)
  expect(
    got.map(({ id }) => id),
    JSON.stringify({ filter, orderBy, offset, limit }),
  ).toEqual(want.map(([id]) => id))
  got.forEach(({ id, attrs: found, vector }, i) => {
    const all = want[i]![1].attrs
    const chosen = attrs ? Object.fromEntries(Object.entries(all).filter(([key]) => attrs.includes(key))) : all
    expect(found, id).toEqual(chosen)
    expect(vector !== undefined).toBe(withVectors)
  })
  if (withVectors && got.length > 0)
    expect(got.map(({ vector }) => vector)).toEqual(
      (
        await db.get(
          collection,
          got.map(({ id }) => id),
        )
      ).map((record) => record!.vector),
    )
}

async function checkShapes(db: Nidus, model: Model, r: Random) {
  const [, filter, keep] = r.pick(filters)
  const query = r.vector(D)
  const ranking = model.search(query, Infinity, undefined, keep)
  const attrsOf = ({ collection, id }: { collection: string; id: string }) =>
    model.collection(collection).docs.get(id)!.attrs
  const [offset, topK] = [r.pick([0, 2, 50]), r.pick([1, 10, 500])]
  const page = await db.search(query, {
    filter,
    offset,
    topK,
    attrs: ['lang'],
    facets: { any: { limit: 500 }, tags: {} },
    explain: true,
  })
  sameHits(page, ranking.slice(offset, offset + topK), ranking)
  for (const { attrs } of page) expect(Object.keys(attrs).filter((key) => key !== 'lang')).toEqual([])
  for (const key of ['any', 'tags']) {
    const values = ranking.flatMap((hit) => {
      const value = attrsOf(hit)[key]
      return value === undefined ? [] : Array.isArray(value) ? value : [value]
    })
    const counts: { value: unknown; count: number }[] = []
    for (const value of values) {
      const known = counts.find((each) => TYPE(each.value) === TYPE(value) && compare(each.value, value) === 0)
      if (known) known.count++
      else counts.push({ value, count: 1 })
    }
    expect(page.facets![key]).toEqual(counts.sort((a, b) => b.count - a.count || compare(a.value, b.value)))
  }

  const all = ranking.length === 0 || filter ? model.search(query, Infinity) : ranking
  for (const { key, records, types, note } of page.explain!) {
    const values = all.map((hit) => attrsOf(hit)[key]).filter((value) => value !== undefined)
    expect(records).toBe(values.length)
    expect(types).toEqual(
      Object.fromEntries(
        TYPES.flatMap((type, i) => {
          const count = values.filter((value) => TYPE(value) === i).length
          return count > 0 ? [[type, count]] : []
        }),
      ),
    )
    if (records === 0) expect(note).toBe(`no record has the attribute "${key}"`)
  }

  const grouped = await db.search(query, { filter, topK, groupBy: 'lang' })
  const best = new Map<unknown, (typeof ranking)[0]>()
  for (const hit of ranking) if (!best.has(attrsOf(hit)['lang'])) best.set(attrsOf(hit)['lang'], hit)
  sameHits(grouped, [...best.values()].slice(0, topK), ranking)

  const [like] = ranking
  if (!like) return
  const { vector } = model.collection(like.collection).docs.get(like.id)!
  const others = model
    .search(vector, Infinity, ['a'], keep)
    .filter(({ collection, id }) => collection !== like.collection || id !== like.id)
  const similar = await db.similar(like.collection, like.id, { collections: 'a', filter, topK, offset })
  sameHits(similar, others.slice(offset, offset + topK), others)
}
