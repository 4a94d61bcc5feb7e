import { describe, expect, it } from 'vitest'
import { Nidus, type NidusError } from 'nidus-wasm'
import { codeOf } from '../common/api'
import {
  D,
  answer,
  extentsOf,
  fresh,
  inDatabase,
  isWhole,
  metaOf,
  open,
  rows,
  storage,
  type Row,
  watchedWorker,
} from './idb-tools'
import { inWorker } from './in-worker'

describe('the host on IndexedDB', () => {
  it('lists stores, and destroys a store only while it is closed', async () => {
    const name = fresh()
    const db = await open(name)
    expect(db.storage).toBe('indexeddb')
    await db.upsert('c', rows(3))
    expect(await codeOf(() => Nidus.destroy(name, { storage }))).toBe('LOCKED')
    const { diskBytes } = await db.footprint()
    await db.close()
    expect((await Nidus.list({ storage })).find((info) => info.name === name)).toEqual({
      name,
      storage,
      dimension: D,
      diskBytes,
    })
    expect((await Nidus.list()).filter((info) => info.name === name)).toEqual([
      { name, storage, dimension: D, diskBytes },
    ])
    expect((await Nidus.list({ storage: 'opfs' })).some((info) => info.name === name)).toBe(false)
    await Nidus.destroy(name, { storage })
    expect((await Nidus.list({ storage })).some((info) => info.name === name)).toBe(false)
    await Nidus.destroy(name, { storage })
  })

  it('creates nothing if it is not asked to, and keeps an empty store', async () => {
    const name = fresh()
    const exists = async () => (await indexedDB.databases()).some((info) => info.name === `nidus-wasm:${name}`)
    expect(await codeOf(() => open(name, { readOnly: true }))).toBe('NOT_FOUND')
    expect(await codeOf(() => Nidus.open(name, { storage }))).toBe('INVALID_ARGUMENT')
    expect(await exists()).toBe(false)
    await (await open(name)).close()
    const db = await Nidus.open(name, { storage })
    expect(db.dimension).toBe(D)
    expect(db.recovery.created).toBe(false)
    await db.close()
    await isWhole(name)
  })

  it('refuses a second writer with LOCKED until the first one is killed', async () => {
    const name = fresh()
    const holder = inWorker(async (lock: string) => {
      await new Promise<void>((resolve) => void navigator.locks.request(lock, () => (resolve(), new Promise(() => {}))))
      return 'held'
    })
    expect(await holder.run(`nidus-wasm:indexeddb:${name}`)).toBe('held')
    expect(await codeOf(() => open(name))).toBe('LOCKED')
    expect(await codeOf(() => Nidus.destroy(name, { storage }))).toBe('LOCKED')
    const late = open(name)
    setTimeout(() => holder.end(), 200)
    await (await late).close()
  })

  it('reads one state and writes nothing when it is opened read-only beside a writer', async () => {
    const name = fresh()
    const writer = await open(name)
    await writer.upsert('c', rows(10))
    const before = await metaOf(name)
    const reader = await open(name, { readOnly: true })
    expect(await metaOf(name)).toEqual(before)
    await writer.upsert('c', rows(10, 10))
    await writer.compact()
    expect(await reader.count()).toBe(10)
    const later = await open(name, { readOnly: true })
    expect(await later.count()).toBe(20)
    expect(await codeOf(() => later.upsert('c', rows(1)))).toBe('READ_ONLY')
    for (const db of [later, reader, writer]) await db.close()
    await isWhole(name)
  })

  it('reads one state while a writer writes and compacts', async () => {
    const name = fresh()
    const writer = await open(name)
    await writer.upsert('c', rows(5))
    let writing = true
    const busy = (async () => {
      for (let i = 0; writing && i < 400; i++) {
        await writer.upsert('c', rows(5, i))
        if (i % 5 === 0) await writer.compact()
      }
    })()
    for (let i = 0; i < 5; i++) {
      const reader = await open(name, { readOnly: true })
      expect(await reader.count()).toBeGreaterThanOrEqual(5)
      await reader.close()
    }
    writing = false
    await busy
    await writer.close()
  })

  it('is FAILED and changes nothing more after a writer that it cannot see took the store over', async () => {
    const name = fresh()
    const first = await open(name)
    await first.upsert('c', rows(1))
    // Without locks, a second writer would write its epoch here.
    await inDatabase(name, async (meta) =>
      meta.put({ ...(await answer(meta.get('store') as IDBRequest<Row>)), epoch: 'another' }, 'store'),
    )
    const before = await extentsOf(name)
    expect(await codeOf(() => first.upsert('c', rows(1, 1)))).toBe('FAILED')
    expect(await codeOf(() => first.count())).toBe('FAILED')
    expect(await first.closed).toMatchObject({ reason: 'failed', error: { code: 'FAILED' } })
    expect(await extentsOf(name)).toEqual(before)
    expect((await metaOf(name)).epoch).toBe('another')
    await first.close()
    const second = await open(name)
    expect(await second.count()).toBe(1)
    await second.close()
  })

  it('is FAILED and closes its connection when somebody else deletes its database', async () => {
    const name = fresh()
    const db = await open(name)
    await db.upsert('c', rows(1))
    await answer(indexedDB.deleteDatabase(`nidus-wasm:${name}`))
    expect(await db.closed).toMatchObject({ reason: 'failed', error: { code: 'FAILED' } })
    expect(await codeOf(() => db.upsert('c', rows(1)))).toBe('FAILED')
    await db.close()
    const again = await open(name)
    expect(again.recovery.created).toBe(true)
    await again.close()
  })

  it('removes what an interrupted compaction left', async () => {
    const name = fresh()
    await (await open(name)).close()
    const { generation } = await metaOf(name)
    await inDatabase(name, async (_, extents) => {
      for (const file of ['data', 'log'])
        for (const left of [generation + 1, generation + 7])
          await answer(extents.put(new Uint8Array(9), [file, left, 0]))
    })
    const db = await open(name)
    expect((await extentsOf(name)).every((extent) => extent.generation === generation)).toBe(true)
    await db.upsert('c', rows(9))
    await db.upsert('c', rows(9))
    await db.compact()
    expect(await db.footprint()).toMatchObject({ rows: 9, deadRows: 0 })
    await db.upsert('c', rows(1, 9))
    await db.close()
    expect((await metaOf(name)).generation).toBe(generation + 1)
    await isWhole(name)
    const again = await open(name)
    expect(await again.count()).toBe(10)
    await again.close()
  })

  it('cuts a half-written end durably, also in the middle of an extent', async () => {
    const name = fresh()
    let db = await open(name)
    for (let i = 0; i < 5; i++) await db.upsert('c', rows(3, 3 * i))
    await db.close()
    const { log } = await metaOf(name)
    // Appends a part of a frame and a part of a row, as a fault of the host would leave them.
    await inDatabase(name, async (meta, extents) => {
      await answer(extents.put(Uint8Array.of(9, 0, 0, 0, 1, 2), ['log', 0, log]))
      const row = await answer(meta.get('store') as IDBRequest<Row>)
      const [key] = (await answer(extents.getAllKeys(IDBKeyRange.bound(['data', 0, 1], ['data', 0, []])))).slice(-1)
      const bytes = await answer(extents.get(key!) as IDBRequest<Uint8Array>)
      await answer(extents.put(Uint8Array.from([...bytes, 7, 7, 7]), key))
      await answer(meta.put({ ...row, log: log + 6, data: row.data + 3 }, 'store'))
    })
    db = await open(name)
    expect(db.recovery).toMatchObject({ logBytes: 6, dataBytes: 3 })
    expect(await metaOf(name)).toMatchObject({ log, cuts: 1 })
    await isWhole(name)
    await db.upsert('c', rows(3, 100))
    await db.close()
    await isWhole(name)
    db = await open(name)
    expect(db.recovery.bytes).toBe(0)
    expect(await db.count()).toBe(18)
    await db.close()
  })

  it('notices a missing extent, and changes nothing', async () => {
    const name = fresh()
    const db = await open(name)
    for (let i = 0; i < 3; i++) await db.upsert('c', rows(3, 3 * i))
    await db.close()
    const extents = (await extentsOf(name)).filter(({ file }) => file === 'log')
    await inDatabase(name, (_, store) => answer(store.delete(['log', 0, extents[1]!.at])))
    expect(await codeOf(() => open(name))).toBe('CORRUPT')
    expect(await codeOf(() => open(name, { readOnly: true }))).toBe('CORRUPT')
    expect((await extentsOf(name)).filter(({ file }) => file === 'log')).toHaveLength(extents.length - 1)
  })
})

it('reports STORAGE_UNAVAILABLE if there is no IndexedDB', async () => {
  const worker = watchedWorker(
    'Object.defineProperty(globalThis, "indexedDB", { value: undefined, configurable: true })',
  )
  const error = await open('never', { worker: worker.worker }).then(
    () => undefined,
    (error: NidusError) => error,
  )
  expect(error?.code).toBe('STORAGE_UNAVAILABLE')
})

it("works in the caller's own thread if no worker can be started", async () => {
  const name = fresh()
  const worker = inWorker(async ({ url, name }: { url: string; name: string }, load) => {
    Object.defineProperty(globalThis, 'Worker', { value: undefined, configurable: true })
    // The test server rewrites the package's `import()`, too.
    Object.assign(globalThis, { __vitest_browser_runner__: { wrapDynamicImport: (load: () => unknown) => load() } })
    const { Nidus } = (await load(url)) as typeof import('nidus-wasm')
    const db = await Nidus.open(name, { dimension: 4, storage: 'indexeddb' })
    await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
    await db.close()
    const found = (await Nidus.list({ storage: 'indexeddb' })).find((info) => info.name === name)
    return found?.dimension
  })
  expect(await worker.run({ url: new URL('../../dist/browser.js', import.meta.url).href, name })).toBe(4)
  worker.end()
  const db = await open(name)
  expect(await db.count()).toBe(1)
  await db.close()
})
