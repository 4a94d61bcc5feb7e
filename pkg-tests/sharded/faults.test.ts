// What a kill, a lost answer or a large write in the middle may not do: each at one chosen moment, in a real workerd.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { placeOf } from '../../src/ts/sharded/layout'
import { random } from '../common/model'
import { bundle, serve, type Served } from '../workerd/harness.mjs'

const D = 8
const root = mkdtempSync(join(tmpdir(), 'nidus-sharded-faults-'))
let served: Served
const start = async () => void (served = await serve(root, { objects: { Router: true, Shard: true }, date: '2026-05-03' }))
beforeAll(async () => {
  await bundle(root, fileURLToPath(new URL('./worker.mjs', import.meta.url)))
  await start()
}, 60_000)
afterAll(async () => {
  await served?.kill()
  rmSync(root, { recursive: true, force: true })
})

interface On { store: string; client?: number; shards?: number; dimension?: number }
type Outcome = { ok?: any; error?: { code: string; message: string; shards?: number[] } }
async function ask({ store, client = 0, shards = 1, dimension = D }: On, method: string, ...args: unknown[]): Promise<Outcome> {
  const plain = JSON.stringify({ store, client, method, args, options: { dimension, shards } }, (_, value) => (value instanceof Float32Array ? Array.from(value) : value))
  return (await fetch(served.url, { method: 'POST', body: plain })).json() as Promise<Outcome>
}
async function call(on: On, method: string, ...args: unknown[]) {
  const { ok, error } = await ask(on, method, ...args)
  if (error) throw new Error(`${method}: ${error.code}: ${error.message}`)
  return ok
}
const fault = (store: string, index: number, method: string, kind?: 'fail' | 'lose' | 'hold' | 'late' | 'pass') => call({ store }, 'fault', store, index, method, kind)
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
async function met(store: string, index: number, method: string) {
  while ((await call({ store }, 'met', store, index, method)) === 0) await sleep(5)
}
const record = (id: string, version: number) => ({ id, vector: random(version * 7 + id.length).vector(D), attrs: { version } })
const idsOf = (count: number) => Array.from({ length: count }, (_, n) => String(n).padStart(6, '0'))
async function fill(on: On, ids: string[], version = 0) {
  for (let at = 0; at < ids.length; at += 1000) await call(on, 'upsert', 'c', ids.slice(at, at + 1000).map((id) => record(id, version)))
}

it('counts nothing twice after a move whose answer was lost', async () => {
  const on = { store: 'lost answer' }
  await fill(on, idsOf(400))
  await fault(on.store, 1, 'adopt', 'lose')
  expect((await ask(on, 'grow', 2)).error?.code).toBe('SHARD_FAILED')
  // A count is right, or says that it cannot be made now.
  const { ok, error } = await ask({ ...on, client: 1 }, 'count')
  expect(error?.code ?? ok).toSatisfy((found) => found === 'BUSY' || found === 400)
  await fault(on.store, 1, 'adopt')
  await call(on, 'grow', 2)
  expect(await call(on, 'count')).toBe(400)
}, 60_000)

it('counts nothing twice after a kill between a move and its end', async () => {
  const on = { store: 'killed mid' }
  await fill(on, idsOf(400))
  await fault(on.store, 1, 'adopt', 'lose')
  await ask(on, 'grow', 2)
  await served.kill()
  await start()
  await fault(on.store, 0, 'move', 'hold')
  const { ok, error } = await ask({ ...on, client: 1 }, 'count')
  expect(error?.code ?? ok).toSatisfy((found) => found === 'BUSY' || found === 400)
  await fault(on.store, 0, 'move')
  await call(on, 'grow', 2)
  expect(await call(on, 'count')).toBe(400)
}, 60_000)

it('moves what is left when a large write took along all that was to move next', async () => {
  const on = { store: 'stranded' }
  const ids = idsOf(8000)
  await fill(on, ids)
  const leaving = ids.filter((id) => placeOf('c', id, 2) === 1)
  await fault(on.store, 0, 'move', 'hold')
  const grown = ask({ ...on, client: 9 }, 'grow', 2)
  await met(on.store, 0, 'move')
  await fault(on.store, 1, 'put', 'hold')
  const written = call(on, 'upsert', 'c', leaving.slice(0, 2500).map((id) => record(id, 1)))
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
}, 60_000)

it('a write of which a part failed has ended when it says so: the next one is the last', async () => {
  const on = { store: 'late' }
  const ids = idsOf(60)
  await fill(on, ids)
  const [a, b] = [1, 2].map((shard) => ids.find((id) => placeOf('c', id, 3) === shard)!)
  await fault(on.store, 0, 'move', 'hold')
  const grown = ask({ ...on, client: 9 }, 'grow', 3)
  await met(on.store, 0, 'move')
  await fault(on.store, 1, 'put', 'fail')
  await fault(on.store, 2, 'put', 'hold')
  // The first is held; the second comes once the first has failed, and is not.
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
}, 60_000)

it('a write that comes after its sender gave it up is refused', async () => {
  const on = { store: 'given up' }
  const ids = idsOf(60)
  await fill(on, ids)
  const b = ids.find((id) => placeOf('c', id, 2) === 1)!
  await fault(on.store, 0, 'move', 'hold')
  const grown = ask({ ...on, client: 9 }, 'grow', 2)
  await met(on.store, 0, 'move')
  await fault(on.store, 1, 'put', 'late')
  expect((await ask(on, 'upsert', 'c', [record(b, 1)])).error?.code).toBe('SHARD_FAILED')
  await fault(on.store, 1, 'put', 'pass')
  await call(on, 'upsert', 'c', [record(b, 2)])
  await call(on, 'late')
  await sleep(300)
  expect((await call(on, 'get', 'c', [b]))[0].attrs.version).toBe(2)
  await fault(on.store, 0, 'move')
  await grown
}, 60_000)

it('tells records apart whatever their names', async () => {
  const on = { store: 'names', shards: 3 }
  const vector = random(1).vector(D)
  await call(on, 'upsert', 'a', [{ id: 'b\u0000c', vector }])
  await call(on, 'upsert', 'a\u0000b', [{ id: 'c', vector }])
  expect((await call(on, 'search', vector)).length).toBe(2)
})

it('a shard whose store cannot be opened is one that does not answer', async () => {
  const on = { store: 'spoilt', shards: 3 }
  await fill(on, idsOf(90))
  await call(on, 'spoil', 1, 'UPDATE nidus_stores SET version = 99')
  await served.kill()
  await start()
  const vector = random(1).vector(D)
  expect((await ask(on, 'search', vector)).error).toMatchObject({ code: 'UNSUPPORTED_VERSION', shards: [1] })
  expect(await call(on, 'searchAvailable', vector)).toMatchObject({ missing: [1] })
  // What is wrong with the question is no shard's matter.
  expect((await ask(on, 'searchAvailable', vector, { filter: { $near: 1 } })).error?.code).toBe('INVALID_ARGUMENT')
}, 60_000)

it('a search is aborted though a shard says nothing', async () => {
  const on = { store: 'silent', shards: 2 }
  await fill(on, idsOf(40))
  await fault(on.store, 1, 'search', 'hold')
  expect((await ask(on, 'search', random(1).vector(D), { after: 100 })).error?.code).toBe('ABORTED')
  await fault(on.store, 1, 'search')
  expect((await call(on, 'search', random(1).vector(D), { after: 60_000 })).length).toBe(10)
}, 60_000)

it('has one layout, whoever asks at once', async () => {
  for (let round = 0; round < 10; round++) {
    const store = `first ${round}`
    const all = await Promise.all(Array.from({ length: 24 }, (_, client) => call({ store, client, shards: 1 + (client % 5) }, 'stats')))
    expect(new Set(all.map(({ shards }) => shards)).size).toBe(1)
    const { shards } = all[0]
    const grown = await Promise.all(Array.from({ length: 6 }, (_, n) => ask({ store, client: n, shards: 1 }, 'grow', shards + 1 + n)))
    const done = grown.flatMap(({ error }, n) => (error ? [] : [shards + 1 + n]))
    for (const { error } of grown) if (error) expect(['BUSY', 'INVALID_ARGUMENT']).toContain(error.code)
    const after = await Promise.all(Array.from({ length: 24 }, (_, client) => call({ store, client, shards: 1 }, 'stats')))
    expect(new Set(after.map((one) => `${one.shards} ${one.growingTo}`))).toEqual(new Set([`${Math.max(...done)} undefined`]))
  }
}, 60_000)

it('says how many it deleted though a growth came between', async () => {
  const on = { store: 'deletes', shards: 2 }
  const ids = idsOf(200)
  await fill({ ...on, client: 1 }, ids)
  // One shard knows of the growth, the other does not yet.
  await fault(on.store, 0, 'layout', 'hold')
  await fault(on.store, 1, 'layout', 'pass')
  const grown = ask({ ...on, client: 9 }, 'grow', 3)
  await met(on.store, 0, 'layout')
  await met(on.store, 1, 'layout')
  await sleep(50)
  expect(await call({ ...on, client: 1 }, 'delete', 'c', ids)).toBe(200)
  await fault(on.store, 0, 'layout')
  await grown
}, 60_000)

it('a large batch is written', async () => {
  const on = { store: 'large', dimension: 1024 }
  const vector = Array.from({ length: 1024 }, (_, i) => (i % 7) - 3)
  const { error } = await ask(on, 'upsert', 'c', idsOf(9000).map((id) => ({ id, vector })))
  expect(error).toBe(undefined)
  expect(await call(on, 'count')).toBe(9000)
  expect((await call(on, 'get', 'c', idsOf(9000))).filter((one: unknown) => !one).length).toBe(0)
}, 120_000)
