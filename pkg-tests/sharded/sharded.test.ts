// Tests that a store spread over objects of a real workerd gives the same answers as one store, and that it can grow
// while it is written to and killed.
import { describe, expect, it } from 'vitest'
import { Nidus, type Filter, type Hit, type SearchOptions } from 'nidus-wasm'
import { merge } from '../../src/ts/sharded/merge'
import { placeOf } from '../../src/ts/sharded/layout'
import { random } from '../common/model'
import { shardedIn, type On } from './served'

const D = 24
const { start, ask, call, served } = shardedIn('sharded', { store: 'docs', dimension: D, shards: 3 })

const vectorOf = (id: number, version: number) => random(id * 1000 + version).vector(D)
const record = (id: number, version: number) => ({
  id: `${id}`,
  vector: vectorOf(id, version),
  attrs: { version, group: id % 7 },
})
const OPTIONS: SearchOptions[] = [
  {},
  { topK: 1 },
  { topK: 40, filter: { group: { $in: [1, 3] } } },
  { collections: 'b', topK: 5 },
  { minScore: 0.3, topK: 100 },
]
const plain = (hits: Hit[]) =>
  JSON.parse(JSON.stringify(hits.map(({ collection, id, score, attrs }) => ({ collection, id, score, attrs }))))
const strip = (hits: Hit[]) => hits.map(({ collection, id, score, attrs }) => ({ collection, id, score, attrs }))

/**
 * Checks that a sharded store answers like one store. `moved`: rows that have moved were scaled to length 1 again, so
 * the last bits of scores may differ.
 */
async function expectSame(on: On, oracle: Nidus, seed: number, moved = false) {
  const r = random(seed)
  const expectHits = (found: Hit[], wanted: Hit[]) => {
    if (!moved) return expect(strip(found)).toEqual(plain(wanted))
    expect(found.map(({ id, collection, attrs }) => ({ id, collection, attrs }))).toEqual(
      plain(wanted).map(({ id, collection, attrs }: Hit) => ({ id, collection, attrs })),
    )
    found.forEach(({ score }, i) => expect(Math.abs(score - wanted[i]!.score)).toBeLessThan(3e-7))
  }
  for (const option of OPTIONS) {
    const queries = [r.vector(D), r.vector(D)]
    for (const query of queries) expectHits(await call(on, 'search', query, option), await oracle.search(query, option))
    const many = (await call(on, 'searchMany', queries, option)) as Hit[][]
    ;(await oracle.searchMany(queries, option)).forEach((hits, i) => expectHits(many[i]!, hits))
  }
  expect(await call(on, 'count')).toBe(await oracle.count())
}

describe('a sharded store does what one store does', () => {
  it('finds, replaces, deletes', async () => {
    const on = { store: 'same', shards: 5 }
    const oracle = await Nidus.open('oracle', { storage: 'memory', dimension: D })
    const r = random(4)
    for (let round = 0; round < 12; round++) {
      const collection = r.pick(['a', 'b'])
      const records = Array.from({ length: 60 }, () => record(r.int(500), round))
      expect(await call(on, 'upsert', collection, records)).toBe(await oracle.upsert(collection, records))
      if (round % 3 === 2) {
        const ids = Array.from({ length: 30 }, () => `${r.int(500)}`)
        expect(await call(on, 'delete', collection, ids)).toBe(await oracle.delete(collection, [...new Set(ids)]))
      }
      if (round === 7)
        expect(await call(on, 'deleteWhere', 'a', { group: 5 })).toBe(await oracle.deleteWhere('a', { group: 5 }))
      await expectSame(on, oracle, round)
      for (const asked of [['b'], ['a', { group: { $in: [2, 4] } }], ['none']] as [string, Filter?][])
        expect(await call(on, 'count', ...asked)).toBe(await oracle.count(...asked))
    }
    // Hits with equal scores have the same order as in one store.
    const ties = Array.from({ length: 30 }, (_, n) => ({
      id: `tie ${String.fromCodePoint(97 + (n % 26))}${n > 15 ? 'é' : ''}`,
      vector: vectorOf(1, 1),
      attrs: { version: 0, group: 0 },
    }))
    await call(on, 'upsert', 'b', ties)
    await oracle.upsert('b', ties)
    expect(strip(await call(on, 'search', vectorOf(1, 1), { topK: 9 }))).toEqual(
      plain(await oracle.search(vectorOf(1, 1), { topK: 9 })),
    )
    expect(await call(on, 'collections')).toEqual(['a', 'b'])
    const stats = await call(on, 'stats')
    expect(stats.each.length).toBe(5)
    // No shard has much less than its part of the records.
    for (const { docCount } of stats.each) expect(docCount).toBeGreaterThan(0.08 * (await oracle.count()))
    const found = await call(on, 'get', 'b', ['tie a', 'none'])
    expect(found[0]).toMatchObject({ id: 'tie a', attrs: { group: 0 } })
    expect(found[1] ?? null).toBe(null)
    await call(on, 'compact')
    await expectSame(on, oracle, 99)
    await oracle.close()
  })

  it('works through a proxy like those of Vue and MobX', async () => {
    const on = { store: 'proxied' }
    await call(on, 'upsert', 'c', [record(1, 1), record(2, 1), record(3, 1)])
    expect(await call(on, 'count')).toBe(3)
    expect((await call(on, 'search', vectorOf(2, 1), { topK: 1 }))[0].id).toBe('2')
    expect((await call(on, 'searchMany', [vectorOf(3, 1)], { topK: 1 }))[0][0].id).toBe('3')
    expect((await call(on, 'searchAvailable', vectorOf(2, 1), { topK: 1 })).missing).toEqual([])
    expect((await call(on, 'get', 'c', ['2', '9'])).map((found: { id: string } | null) => found?.id)).toEqual([
      '2',
      undefined,
    ])
    expect([await call(on, 'delete', 'c', ['1']), await call(on, 'deleteWhere', 'c', { group: 2 })]).toEqual([1, 1])
    await call(on, 'grow', 4)
    await call(on, 'compact')
    expect([await call(on, 'collections'), (await call(on, 'stats')).shards]).toEqual([['c'], 4])
  })

  it('says of wrong arguments what one store says', async () => {
    const on = { store: 'wrong', shards: 2 }
    const oracle = await Nidus.open('wrong', { storage: 'memory', dimension: D })
    const good = record(1, 0)
    const wrong: [string, ...unknown[]][] = [
      ['upsert', 'c', [good, { ...good, vector: [1] }]],
      ['upsert', 'c', [good, { ...good, vector: 'x' }]],
      ['upsert', 'c', [good, { ...good, vector: Array(D).fill(3e38) }]],
      ['upsert', 'c', [good, { ...good, vector: Array(D).fill(1e39) }]],
      ['upsert', 'c', [good, { ...good, vector: Array(D).fill('1') }]],
      ['upsert', 'c', 'records'],
      ['upsert', 'c', { ids: ['a'] }],
      ['upsert', 7, [good]],
      ['get', 'c', [7]],
      ['delete', 'c', [7]],
      ['deleteWhere', 'c', { $near: 1 }],
      ['count', 'c', { $near: 1 }],
      ['count', 7],
      ['search', [1, 2]],
      ['search', Array(D).fill(3e38)],
      ['search', vectorOf(1, 1), { collections: [7] }],
      ['search', vectorOf(1, 1), { topK: -1 }],
      ['searchMany', 'queries'],
      ['searchMany', [vectorOf(1, 1), [1]]],
    ]
    for (const [method, ...args] of wrong) {
      // Both get the arguments as JSON has them.
      const plain = JSON.parse(JSON.stringify(args, (_, value) => (value instanceof Float32Array ? [...value] : value)))
      const { code, message } = await (oracle as any)[method](...plain).catch((error: unknown) => error)
      expect([method, (await ask(on, method, ...args)).error]).toEqual([method, { code, message }])
    }
    expect(await call(on, 'count')).toBe(0)
    await oracle.close()
  })

  it('takes columns', async () => {
    const on = { store: 'columns', shards: 3 }
    // JSON has no Float32Array, so `columns` in worker.mjs makes the one that has all vectors.
    expect(await call(on, 'columns', ['a', 'b', 'a'])).toBe(3)
    expect(await call(on, 'count', 'c')).toBe(2)
  })

  it('rejects wrong arguments and names them', async () => {
    expect((await ask({}, 'search', [1, 2])).error!.code).toBe('DIMENSION_MISMATCH')
    expect((await ask({}, 'search', vectorOf(1, 1), { filter: { $near: 1 } })).error!.code).toBe('INVALID_ARGUMENT')
    expect((await ask({ store: 'other', dimension: 0 }, 'count')).error!.code).toBe('INVALID_ARGUMENT')
    expect((await ask({ store: 'other', shards: 0 }, 'count')).error!.code).toBe('INVALID_ARGUMENT')
    await call({ store: 'two' }, 'count')
    expect((await ask({ store: 'two', client: 1, dimension: 5 }, 'count')).error!.code).toBe('DIMENSION_MISMATCH')
    expect((await ask({ store: 'two' }, 'grow', 2)).error!.code).toBe('INVALID_ARGUMENT')
    expect((await ask({ store: 'two' }, 'grow', 5000)).error!.code).toBe('INVALID_ARGUMENT')
  })
})

describe('a sharded store grows', () => {
  it('while clients that know nothing of it read and write: nothing is lost, doubled or missed', async () => {
    const on = (client: number) => ({ store: 'grow', shards: 1, client })
    const model = new Map<number, number>()
    const STABLE = 2000
    for (let at = 0; at < 5000; at += 250) {
      const ids = Array.from({ length: 250 }, (_, i) => at + i)
      await call(
        on(0),
        'upsert',
        'a',
        ids.map((id) => record(id, 0)),
      )
      ids.forEach((id) => model.set(id, 0))
    }
    // Calls of shards are slow, so that much happens during the growth.
    await call(on(0), 'slow', 6)
    let growing = true
    const reader = async (client: number) => {
      const r = random(client)
      let count = 0
      while (growing || count < 20) {
        // These documents are never changed. So a search for one must find it, once.
        const id = r.int(STABLE)
        const hits = (await call(on(client), 'search', vectorOf(id, 0), { topK: 10 })) as Hit[]
        expect(hits[0]).toMatchObject({ id: `${id}`, attrs: { version: 0 } })
        expect(new Set(hits.map((hit) => hit.id)).size).toBe(10)
        expect((await call(on(client), 'get', 'a', [`${id}`]))[0]?.id).toBe(`${id}`)
        count++
      }
    }
    const writer = async (client: number) => {
      const r = random(client)
      let count = 0
      while (growing || count < 20) {
        const ids = [
          ...new Set(Array.from({ length: 10 }, () => STABLE + 2 * r.int((5000 - STABLE) / 2) + (client % 2))),
        ]
        if (r.next() < 0.2) {
          await call(on(client), 'delete', 'a', ids.map(String))
          ids.forEach((id) => model.delete(id))
        } else {
          const version = 1 + (count % 50)
          await call(
            on(client),
            'upsert',
            'a',
            ids.map((id) => record(id, version)),
          )
          ids.forEach((id) => model.set(id, version))
        }
        count++
      }
    }
    const work = [reader(1), writer(2), writer(3), reader(4), reader(5), reader(6)]
    for (const shards of [2, 3, 4, 5, 7, 9]) await call(on(9), 'grow', shards)
    growing = false
    await Promise.all(work)
    await call(on(0), 'slow', 0)
    expect(await call(on(1), 'count')).toBe(model.size)
    const stats = await call(on(7), 'stats')
    expect([stats.shards, stats.growingTo]).toEqual([9, undefined])
    for (const { docCount } of stats.each) expect(docCount).toBeGreaterThan(model.size / 9 / 2)
    const oracle = await Nidus.open('grown', { storage: 'memory', dimension: D })
    await oracle.upsert(
      'a',
      [...model].map(([id, version]) => record(id, version)),
    )
    await expectSame(on(8), oracle, 1, true)
    await oracle.close()
  })

  it('while objects are killed at any moment', async () => {
    const on = (client: number) => ({ store: 'killed', shards: 2, client })
    const r = random(8)
    // The versions that each record may have. A write that was not acknowledged may have been made.
    const possible = new Map<number, Set<number | undefined>>()
    for (let id = 0; id < 900; id++) possible.set(id, new Set([0]))
    for (let at = 0; at < 900; at += 300)
      await call(
        on(0),
        'upsert',
        'a',
        Array.from({ length: 300 }, (_, i) => record(at + i, 0)),
      )
    let version = 1
    let growth: Promise<unknown> = Promise.resolve()
    for (let cycle = 0; cycle < 8; cycle++) {
      if (cycle % 3 === 0) growth = ask(on(50 + cycle), 'grow', 3 + cycle).catch(() => undefined)
      let over = false
      const writer = async (client: number) => {
        while (!over) {
          const ids = [...new Set(Array.from({ length: 5 }, () => 2 * r.int(450) + client))]
          const remove = r.next() < 0.2
          const wanted = remove ? undefined : version++
          ids.forEach((id) => possible.get(id)!.add(wanted))
          const outcome = await (
            remove
              ? ask(on(client), 'delete', 'a', ids.map(String))
              : ask(
                  on(client),
                  'upsert',
                  'a',
                  ids.map((id) => record(id, wanted!)),
                )
          ).catch(() => undefined)
          if (outcome && !outcome.error) ids.forEach((id) => possible.set(id, new Set([wanted])))
          else if (!outcome) over = true
        }
      }
      const writers = [writer(0), writer(1)]
      await new Promise((resolve) => setTimeout(resolve, 30 + r.int(250)))
      await served().kill()
      over = true
      await Promise.all([...writers, growth])
      await start()
      const found = await call(on(99), 'get', 'a', Array.from(possible.keys(), String))
      for (const [id, versions] of possible) {
        const there = (found[id] as { attrs: { version: number } } | null)?.attrs.version
        expect([...versions], `${id} in cycle ${cycle}`).toContain(there)
      }
    }
    // After the growth has ended, every record is there once.
    const { shards, growingTo } = await call(on(100), 'stats')
    await call(on(100), 'grow', growingTo ?? shards)
    const found = (await call(on(100), 'get', 'a', Array.from(possible.keys(), String))) as ({
      id: string
      attrs: { version: number }
    } | null)[]
    const living = found.flatMap((one) => (one ? [one] : []))
    expect(await call(on(100), 'count')).toBe(living.length)
    const oracle = await Nidus.open('survived', { storage: 'memory', dimension: D })
    await oracle.upsert(
      'a',
      living.map(({ id, attrs }) => record(Number(id), attrs.version)),
    )
    await expectSame(on(100), oracle, 2, true)
    await oracle.close()
  })
})

describe('shards that do not answer, or have too much to do', () => {
  it('search names the shards that do not answer, and searchAvailable returns the hits of the others', async () => {
    const on = { store: 'trouble', shards: 4 }
    await call(
      on,
      'upsert',
      'a',
      Array.from({ length: 200 }, (_, id) => record(id, 0)),
    )
    const whole = (await call(on, 'search', vectorOf(3, 0), { topK: 200 })) as Hit[]
    await call(on, 'break', 1, 3)
    expect(await ask(on, 'search', vectorOf(3, 0))).toMatchObject({ error: { code: 'SHARD_FAILED', shards: [1, 3] } })
    expect((await ask(on, 'count')).error!.code).toBe('SHARD_FAILED')
    const { hits, missing } = await call(on, 'searchAvailable', vectorOf(3, 0), { topK: 200 })
    expect(missing).toEqual([1, 3])
    expect(hits.length).toBeGreaterThan(50)
    expect(hits.length).toBeLessThan(150)
    const left = new Set(hits.map(({ id }: Hit) => id))
    expect(strip(hits)).toEqual(strip(whole.filter(({ id }) => left.has(id))))
    const partly = await ask(
      on,
      'upsert',
      'a',
      Array.from({ length: 50 }, (_, id) => record(id, 1)),
    )
    expect(partly.error!.code).toBe('SHARD_FAILED')
    await call(on, 'break')
    await call(
      on,
      'upsert',
      'a',
      Array.from({ length: 50 }, (_, id) => record(id, 1)),
    )
    expect(await call(on, 'count')).toBe(200)
    expect(await call(on, 'searchAvailable', vectorOf(3, 1), { topK: 1 })).toMatchObject({
      hits: [{ id: '3', attrs: { version: 1 } }],
      missing: [],
    })
  })

  it('rejects further calls with BUSY while a shard has as many as it can take', async () => {
    const on = { store: 'busy', shards: 1 }
    await call(on, 'upsert', 'a', [record(1, 0)])
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        ask(
          { ...on, client: i % 5 },
          'upsert',
          'a',
          Array.from({ length: 20 }, (_, k) => record(i * 20 + k, 0)),
        ),
      ),
    )
    expect(outcomes.filter(({ error }) => error && error.code !== 'BUSY')).toEqual([])
    const taken = outcomes.flatMap(({ error }, i) => (error ? [] : [i]))
    expect(taken.length).toBeGreaterThanOrEqual(64)
    const found = await call(
      on,
      'get',
      'a',
      taken.map((i) => `${i * 20 + 7}`),
    )
    expect(found.every((one: unknown) => one)).toBe(true)
  })
})

describe('the parts of a sharded store', () => {
  it('with more shards, a record stays or goes to a new shard, and all shards are equally full', () => {
    for (let shards = 1; shards < 40; shards++) {
      const full = new Array(shards + 1).fill(0)
      for (let n = 0; n < 4000; n++) {
        const [before, after] = [placeOf('c', `id ${n}`, shards), placeOf('c', `id ${n}`, shards + 1)]
        expect(after === before || after === shards).toBe(true)
        full[after]++
      }
      const each = 4000 / (shards + 1)
      for (const count of full) expect(Math.abs(count - each)).toBeLessThan(6 * Math.sqrt(each))
    }
    expect(placeOf('a', 'bc', 1000)).not.toBe(placeOf('ab', 'c', 1000))
  })

  it('merge asks for longer lists if a list may hide a hit', () => {
    const r = random(1)
    for (let round = 0; round < 500; round++) {
      // The hits of two shards. Some ids are in both, with other scores.
      const hit = (id: number): Hit => ({ collection: 'c', id: `${id}`, score: r.int(40) / 40, attrs: {} })
      const order = (a: Hit, b: Hit) => b.score - a.score || (a.id < b.id ? -1 : 1)
      const old = Array.from({ length: 12 }, (_, id) => hit(id)).sort(order)
      const young = Array.from({ length: 12 }, (_, i) => hit(i + 6 + r.int(6)))
        .filter(({ id }, i, all) => all.findIndex((other) => other.id === id) === i)
        .sort(order)
      for (let asked = 4; ; asked *= 2) {
        const merged = merge([old.slice(0, asked), young.slice(0, asked)], 4, asked)
        if (merged) {
          // If an id is in both lists, only one of its hits counts: the one that was returned, or, if none was, the
          // worse one.
          const versions = [...old, ...young].filter((one) => {
            const said = merged.find(({ id }) => id === one.id)
            const others = [...old, ...young].filter(({ id }) => id === one.id)
            return said ? said === one : one === others.sort(order).at(-1)
          })
          expect(merged).toEqual(versions.sort(order).slice(0, 4))
          break
        }
        expect(asked).toBeLessThan(32)
      }
    }
  })
})
