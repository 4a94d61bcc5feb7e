// Tests with a real workerd: kills and lost answers at chosen moments, and large writes.
import { beforeAll, describe, expect, it } from 'vitest'
import { placeOf } from '../../src/ts/sharded/layout'
import { random } from '../common/model'
import { D, faulty, idsOf, record, settledWithin, sleep } from './faulty'

const { start, ask, call, served, fault, met, growing, fill } = faulty('sharded-faults')

it('counts nothing twice after a move whose answer was lost', async () => {
  const on = { store: 'lost answer' }
  await fill(on, idsOf(400))
  await fault(on.store, 1, 'adopt', 'lose')
  expect((await ask(on, 'grow', 2)).error?.code).toBe('SHARD_FAILED')
  // A count is right, or it is refused for the moment.
  const { ok, error } = await ask({ ...on, client: 1 }, 'count')
  expect(error?.code ?? ok).toSatisfy((found) => found === 'BUSY' || found === 400)
  await fault(on.store, 1, 'adopt')
  await call(on, 'grow', 2)
  expect(await call(on, 'count')).toBe(400)
})

it('counts nothing twice after a kill between a move and its end', async () => {
  const on = { store: 'killed mid' }
  await fill(on, idsOf(400))
  await fault(on.store, 1, 'adopt', 'lose')
  await ask(on, 'grow', 2)
  await served().kill()
  await start()
  await fault(on.store, 0, 'move', 'hold')
  const { ok, error } = await ask({ ...on, client: 1 }, 'count')
  expect(error?.code ?? ok).toSatisfy((found) => found === 'BUSY' || found === 400)
  await fault(on.store, 0, 'move')
  await call(on, 'grow', 2)
  expect(await call(on, 'count')).toBe(400)
})

it('a growth goes on after a large write has moved all the records that were next', async () => {
  const on = { store: 'stranded' }
  const ids = idsOf(8000)
  await fill(on, ids)
  const leaving = ids.filter((id) => placeOf('c', id, 2) === 1)
  await fault(on.store, 0, 'move', 'hold')
  const grown = ask({ ...on, client: 9 }, 'grow', 2)
  await met(on.store, 0, 'move')
  await fault(on.store, 1, 'put', 'hold')
  const written = call(
    on,
    'upsert',
    'c',
    leaving.slice(0, 2500).map((id) => record(id, 1)),
  )
  await met(on.store, 1, 'put')
  await fault(on.store, 0, 'move')
  await sleep(1500)
  await fault(on.store, 1, 'put')
  await written
  expect((await grown).error).toBe(undefined)
  expect(leaving.length).toBeGreaterThan(3500)
  const found = (await call(on, 'get', 'c', leaving)) as unknown[]
  expect(found.filter((one) => !one).length).toBe(0)
  expect(await call(on, 'count')).toBe(ids.length)
})

it('a write that partly failed has ended when it rejects: a later write wins over it', async () => {
  const on = { store: 'late' }
  const ids = idsOf(60)
  await fill(on, ids)
  const [a, b] = [1, 2].map((shard) => ids.find((id) => placeOf('c', id, 3) === shard)!)
  await fault(on.store, 0, 'move', 'hold')
  const grown = ask({ ...on, client: 9 }, 'grow', 3)
  await met(on.store, 0, 'move')
  await fault(on.store, 1, 'put', 'fail')
  await fault(on.store, 2, 'put', 'hold')
  // The `put` of the first call is held. The second call is made after the first has failed, and is not held.
  const first = ask(on, 'upsert', 'c', [record(a!, 1), record(b!, 1)])
  await met(on.store, 2, 'put')
  const early = await Promise.race([first, sleep(500)])
  if (early) await fault(on.store, 2, 'put', 'pass')
  else await fault(on.store, 2, 'put')
  expect((await first).error?.code).toBe('SHARD_FAILED')
  await call({ ...on, client: 1 }, 'upsert', 'c', [record(b!, 2)])
  await fault(on.store, 2, 'put')
  await fault(on.store, 1, 'put')
  await sleep(300)
  expect((await call(on, 'get', 'c', [b!]))[0].attrs.version).toBe(2)
  await fault(on.store, 0, 'move')
  await grown
})

it('a write that arrives after its sender gave it up is refused', async () => {
  const on = { store: 'given up' }
  const { grown, moving: b } = await growing(on)
  await fault(on.store, 1, 'put', 'late')
  expect((await ask(on, 'upsert', 'c', [record(b, 1)])).error?.code).toBe('SHARD_FAILED')
  await fault(on.store, 1, 'put', 'pass')
  await call(on, 'upsert', 'c', [record(b, 2)])
  await call(on, 'late')
  await sleep(300)
  expect((await call(on, 'get', 'c', [b]))[0].attrs.version).toBe(2)
  await fault(on.store, 0, 'move')
  await grown
})

it('tells records apart whatever their names', async () => {
  const on = { store: 'names', shards: 3 }
  const vector = random(1).vector(D)
  await call(on, 'upsert', 'a', [{ id: 'b\u0000c', vector }])
  await call(on, 'upsert', 'a\u0000b', [{ id: 'c', vector }])
  expect((await call(on, 'search', vector)).length).toBe(2)
})

it('a shard whose store cannot be opened counts as one that does not answer', async () => {
  const on = { store: 'spoilt', shards: 3 }
  await fill(on, idsOf(90))
  await call(on, 'spoil', 1, 'UPDATE nidus_stores SET version = 99')
  await served().kill()
  await start()
  const vector = random(1).vector(D)
  expect((await ask(on, 'search', vector)).error).toMatchObject({ code: 'UNSUPPORTED_VERSION', shards: [1] })
  expect(await call(on, 'searchAvailable', vector)).toMatchObject({ missing: [1] })
  // If the question is wrong, no shard is to blame.
  expect((await ask(on, 'searchAvailable', vector, { filter: { $near: 1 } })).error?.code).toBe('INVALID_ARGUMENT')
})

it('a search can be aborted while a shard is silent', async () => {
  const on = { store: 'silent', shards: 2 }
  await fill(on, idsOf(40))
  await fault(on.store, 1, 'search', 'hold')
  expect((await ask(on, 'search', random(1).vector(D), { after: 100 })).error?.code).toBe('ABORTED')
  await fault(on.store, 1, 'search')
  expect((await call(on, 'search', random(1).vector(D), { after: 60_000 })).length).toBe(10)
})

it('clients that ask at the same time get the same layout', async () => {
  for (let round = 0; round < 10; round++) {
    const store = `first ${round}`
    const all = await Promise.all(
      Array.from({ length: 24 }, (_, client) => call({ store, client, shards: 1 + (client % 5) }, 'stats')),
    )
    expect(new Set(all.map(({ shards }) => shards)).size).toBe(1)
    const { shards } = all[0]
    const grown = await Promise.all(
      Array.from({ length: 6 }, (_, n) => ask({ store, client: n, shards: 1 }, 'grow', shards + 1 + n)),
    )
    const done = grown.flatMap(({ error }, n) => (error ? [] : [shards + 1 + n]))
    for (const { error } of grown) if (error) expect(['BUSY', 'INVALID_ARGUMENT']).toContain(error.code)
    const after = await Promise.all(
      Array.from({ length: 24 }, (_, client) => call({ store, client, shards: 1 }, 'stats')),
    )
    expect(new Set(after.map((one) => `${one.shards} ${one.growingTo}`))).toEqual(
      new Set([`${Math.max(...done)} undefined`]),
    )
  }
})

it('delete returns the right number even if a growth begins meanwhile', async () => {
  const on = { store: 'deletes', shards: 2 }
  const ids = idsOf(200)
  await fill({ ...on, client: 1 }, ids)
  // One shard knows of the growth already, and the other one does not.
  await fault(on.store, 0, 'layout', 'hold')
  await fault(on.store, 1, 'layout', 'pass')
  const grown = ask({ ...on, client: 9 }, 'grow', 3)
  await met(on.store, 0, 'layout')
  await met(on.store, 1, 'layout')
  await sleep(50)
  expect(await call({ ...on, client: 1 }, 'delete', 'c', ids)).toBe(200)
  await fault(on.store, 0, 'layout')
  await grown
})

it('a large batch is written', async () => {
  const on = { store: 'large', dimension: 1024 }
  const vector = Array.from({ length: 1024 }, (_, i) => (i % 7) - 3)
  const { error } = await ask(
    on,
    'upsert',
    'c',
    idsOf(9000).map((id) => ({ id, vector })),
  )
  expect(error).toBe(undefined)
  expect(await call(on, 'count')).toBe(9000)
  expect((await call(on, 'get', 'c', idsOf(9000))).filter((one: unknown) => !one).length).toBe(0)
})

it('deleteWhere counts each record once after a move was interrupted at any step', async () => {
  for (const kind of ['lose', 'keep'] as const) {
    const on = { store: `counts ${kind}` }
    await fill(on, idsOf(400))
    await fault(on.store, 1, 'adopt', kind)
    expect((await ask(on, 'grow', 2)).error?.code).toBe('SHARD_FAILED')
    await fault(on.store, 0, 'move', 'hold')
    await fault(on.store, 1, 'adopt')
    expect(await call({ ...on, client: 1 }, 'count')).toBe(400)
    expect(await call({ ...on, client: 1 }, 'deleteWhere', 'c', {})).toBe(400)
    await fault(on.store, 0, 'move')
    await call(on, 'grow', 2)
    expect(await call(on, 'count')).toBe(0)
  }
})

it('a growth that is asked for during the last step of another one is done', async () => {
  const on = { store: 'last step', shards: 2 }
  await fill(on, idsOf(100))
  await fault(on.store, 0, 'move', 'hold')
  const four = ask({ ...on, client: 9 }, 'grow', 4)
  await met(on.store, 0, 'move')
  // The message that the growth has ended is held back.
  await fault(on.store, 3, 'layout', 'hold')
  await fault(on.store, 0, 'move')
  await met(on.store, 3, 'layout')
  const eight = ask({ ...on, client: 8 }, 'grow', 8)
  const early = await settledWithin(eight, 500)
  expect(early).toBe('too late')
  await fault(on.store, 3, 'layout')
  expect((await four).error).toBe(undefined)
  expect((await eight).error).toBe(undefined)
  expect(await call({ ...on, client: 7 }, 'stats')).toMatchObject({ shards: 8 })
  expect(await call(on, 'count')).toBe(100)
})

describe('more bytes than one call carries', () => {
  const on = { store: 'more', shards: 2 }
  // 24 records of 3 MiB are 72 MiB: 36 MiB from each shard.
  beforeAll(() => call(on, 'large', { records: 24, size: 3 * 2 ** 20 }))
  const query = Array.from({ length: D }, (_, i) => (i === 2 ? 1 : 0.1))

  it('a search answers', async () => {
    const hits = await call(on, 'search', query, { topK: 24 })
    expect(hits.map(({ attrs }: { attrs: { text: number } }) => attrs.text)).toEqual(Array(24).fill(3 * 2 ** 20))
    expect(
      hits
        .slice(0, 3)
        .map(({ attrs }: { attrs: { n: number } }) => attrs.n)
        .sort((a: number, b: number) => a - b),
    ).toEqual([2, 10, 18])
    const lists = await call(on, 'searchMany', [query, query], { topK: 10, withVectors: true })
    expect(lists.map((list: unknown[]) => list.length)).toEqual([10, 10])
  })

  it('get answers, and so do a growth and a search after it', async () => {
    const ids = Array.from({ length: 24 }, (_, n) => `${n}`)
    const texts = async () =>
      (await call(on, 'get', 'c', ids)).map(({ id, attrs }: { id: string; attrs: { text: number } }) => [
        id,
        attrs.text,
      ])
    const whole = ids.map((id) => [id, 3 * 2 ** 20])
    expect(await texts()).toEqual(whole)
    await fault(on.store, 0, 'move', 'hold')
    const grown = ask({ ...on, client: 9 }, 'grow', 3)
    await met(on.store, 0, 'move')
    expect(await texts()).toEqual(whole)
    await fault(on.store, 0, 'move')
    expect((await grown).error).toBe(undefined)
    expect(await texts()).toEqual(whole)
    expect((await call(on, 'search', query, { topK: 24 })).length).toBe(24)
  })

  it('a record that no call could move is refused by name; one that can be written can be read and moved', async () => {
    const on = { store: 'huge', shards: 1 }
    expect((await ask(on, 'large', { records: 1, size: 32 * 2 ** 20 - 500 })).error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/"0" has 32.0 MiB/) as string,
    })
    await call(on, 'large', { records: 1, size: 31 * 2 ** 20 - 500 })
    const moves = Array.from({ length: 20 }, (_, n) => n + 2).find((shards) => placeOf('c', '0', shards) > 0)!
    await call(on, 'grow', moves)
    expect((await call(on, 'get', 'c', ['0']))[0].attrs.text).toBe(31 * 2 ** 20 - 500)
    expect((await call(on, 'search', query)).length).toBe(1)
  })
})

it('misspelt options, and values that are no filter, are refused', async () => {
  const on = { store: 'strict', shards: 1 }
  await fill(on, idsOf(5))
  const query = random(1).vector(D)
  const code = async (method: string, ...args: unknown[]) => (await ask(on, method, ...args)).error?.code
  for (const method of ['search', 'searchAvailable', 'searchMany']) {
    const asked = method === 'searchMany' ? [query] : query
    for (const options of [
      { where: {} },
      { topk: 1 },
      { filter: null },
      { filter: 0 },
      { filter: '' },
      { filter: false },
      { filter: [] },
      { filter: { $near: 1 } },
      { topK: -1 },
      { timeout: 0 },
      'x',
      [],
    ]) {
      expect([options, await code(method, asked, options)]).toEqual([options, 'INVALID_ARGUMENT'])
    }
  }
  for (const filter of [null, 0, '', false]) expect(await code('deleteWhere', 'c', filter)).toBe('INVALID_ARGUMENT')
  for (const [method, ...args] of [
    ['get', 'c', ['1']],
    ['delete', 'c', ['none']],
    ['deleteWhere', 'c', { version: 99 }],
    ['count', 'c', {}],
    ['collections'],
    ['compact'],
    ['stats'],
    ['grow', 1],
    ['upsert', 'c', []],
  ] as [string, ...unknown[]][]) {
    expect([method, await code(method, ...args, { timout: 5 })]).toEqual([method, 'INVALID_ARGUMENT'])
  }
  for (const bad of [
    { id: 'x', vector: Array.from(query), metadata: { a: 1 } },
    { id: 'x', vector: Array.from(query), attrs: 7 },
    { vector: Array.from(query) },
    null,
  ])
    expect(await code('upsert', 'c', [bad])).toBe('INVALID_ARGUMENT')
  expect((await ask(on, 'search', query, { where: {} })).error!.message).toContain('did you mean `filter`')
  expect(await call(on, 'count')).toBe(5)
})
