import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { Nidus, type OpenOptions, type StorageKind } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { arraysHost, type ArraysHost } from '../common/arrays'
import { joined, stream, untar } from '../common/tar'
import { exported, fill, same, transferSuite } from '../common/transfer'
import { answer, extentsOf, isWhole, watchedWorker } from './idb-tools'
import { patchedWorker } from './in-worker'

let n = 0
const used: string[] = []
const fresh = () => {
  used.push(`transfer/${Date.now()} ü ${n++}`)
  return used.at(-1)!
}
const directory = async (name: string) =>
  (await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm')).getDirectoryHandle(
    encodeURIComponent(name),
  )
/** Checks that the store has no directory, no database and no recorded kind. */
async function nothing(name: string) {
  expect(
    await directory(name).then(
      () => 'there',
      () => 'gone',
    ),
  ).toBe('gone')
  expect((await indexedDB.databases()).some((info) => info.name === `nidus-wasm:${name}`)).toBe(false)
  const db = await answer(indexedDB.open('nidus-wasm'))
  expect(await answer(db.transaction('stores').objectStore('stores').get(name))).toBeUndefined()
  db.close()
}
afterAll(async () => {
  for (const name of used.splice(0)) await Nidus.destroy(name)
})

transferSuite('memory', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })
for (const storage of ['opfs', 'indexeddb'] as const)
  transferSuite(storage, { fresh, options: () => ({ storage }), again: true }, { gone: nothing })
let host: ArraysHost
transferSuite("a user's host over plain arrays, in the page", {
  fresh: () => ((host = arraysHost({ keep: false })), `h${n++}`),
  options: () => ({ storage: host }),
  again: true,
})

const D = 16
const url = new URL('../../dist/worker.js', import.meta.url).href
const vectors = (count: number) => Float32Array.from({ length: count * D }, (_, i) => Math.sin(i))
const ids = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

for (const storage of ['opfs', 'indexeddb'] as const) {
  describe(`export and import among tabs, ${storage}`, () => {
    const open = new Set<Nidus>()
    async function tab(name: string, options: OpenOptions = {}) {
      let started!: Worker
      const db = await Nidus.open(name, {
        dimension: D,
        storage,
        autoCompact: false,
        worker: () => (started = new Worker(url, { type: 'module' })),
        ...options,
      })
      open.add(db)
      return Object.assign(db, { kill: () => started.terminate() })
    }
    afterEach(async () => {
      for (const db of open) await db.close().catch(() => {})
      open.clear()
    })
    const COUNT = 60_000

    it('a follower exports the store of the leader, and nobody imports over a store that is open', async () => {
      const name = fresh()
      const [a, b] = [await tab(name), await tab(name)]
      await b.upsert('c', { ids: ids(COUNT), vectors: vectors(COUNT) })
      const bytes = await exported(a)
      expect(same(await exported(b), bytes)).toBe(true)
      const reading = b.export().getReader()
      const parts = [(await reading.read()).value!]
      let compacted = false
      const compacting = a.compact().then(() => (compacted = true))
      await a.upsert('c', [{ id: 'x', vector: new Float32Array(D).fill(1) }])
      expect(compacted).toBe(false)
      for (let part; (part = await reading.read()).value;) parts.push(part.value)
      expect(same(joined(parts), bytes)).toBe(true)
      await compacting
      expect(await codeOf(() => Nidus.import(name, bytes, { storage, replace: true }))).toBe('LOCKED')
      await Promise.all([a.close(), b.close()])
      // An opening during the import gets the imported store.
      let opening: Promise<Nidus> | undefined
      const importing = Nidus.import(name, stream(bytes, 300_000), {
        storage,
        replace: true,
        onProgress: () => void (opening ??= tab(name)),
      })
      const db = await importing
      open.add(db)
      const other = await opening!
      expect(await other.count('c')).toBe(COUNT)
      expect(same(await exported(other), bytes)).toBe(true)
      await other.upsert('d', [{ id: 'y', vector: new Float32Array(D).fill(1) }])
      expect(await db.count('d')).toBe(1)
    })

    it('an export fails if its leader is killed or closed, and the next export is whole', async () => {
      for (const how of ['kill', 'close'] as const) {
        const name = fresh()
        const [a, b] = [await tab(name), await tab(name)]
        await a.upsert('c', { ids: ids(COUNT), vectors: vectors(COUNT) })
        const bytes = await exported(b)
        const reader = b.export().getReader()
        for (let i = 0; i < 3; i++) expect((await reader.read()).done).toBe(false)
        if (how === 'kill') a.kill()
        else await a.close()
        expect(
          await codeOf(async () => {
            while (!(await reader.read()).done);
          }),
        ).toBe('ABORTED')
        expect(same(await exported(b), bytes)).toBe(true)
      }
    })

    it('an opening during an import that fails gets a new store', async () => {
      const name = fresh()
      const bytes = await (async () => {
        const db = await tab(fresh())
        await fill(db, 50)
        return exported(db)
      })()
      let opening: Promise<Nidus> | undefined
      const onProgress = () => void (opening ??= tab(name))
      expect(await codeOf(() => Nidus.import(name, stream(bytes.slice(0, 9000), 997), { storage, onProgress }))).toBe(
        'CORRUPT',
      )
      const db = await (opening ?? tab(name))
      expect([db.storage, await db.count()]).toEqual([storage, 0])
    })

    it('a worker that is killed during an import leaves the old store whole, and nothing else', async () => {
      const name = fresh()
      const old = await tab(name)
      await fill(old, 50)
      const bytes = await exported(old)
      await old.upsert('c', { ids: ids(COUNT), vectors: vectors(COUNT) })
      const big = await exported(old)
      await old.close()
      await (await Nidus.import(name, bytes, { storage, replace: true })).close()
      let started!: Worker
      let told = 0
      const importing = codeOf(() =>
        Nidus.import(name, stream(big.slice(0, 5_000_000), 100_000, { hang: true }), {
          storage,
          replace: true,
          worker: () => (started = new Worker(url, { type: 'module' })),
          onProgress: () => {
            if (++told === 4) started.terminate()
          },
        }),
      )
      expect(await importing).toBe('WORKER_FAILED')
      const again = await tab(name)
      expect(same(await exported(again), bytes)).toBe(true)
      await again.upsert('new', [{ id: 'a', vector: new Float32Array(D).fill(1) }])
      await again.close()
      if (storage === 'indexeddb') await isWhole(name)
      else {
        const sizes = await Promise.all(
          [0, 1].flatMap((i) =>
            ['data', 'log'].map(
              async (file) => (await (await (await directory(name)).getFileHandle(`${file}.${i}`)).getFile()).size,
            ),
          ),
        )
        expect(sizes.filter((size) => size > 0)).toHaveLength(2)
      }
    })

    it('a read-only opening exports what it opened, or reports that it is gone', async () => {
      const name = fresh()
      const writer = await tab(name)
      await writer.upsert('c', { ids: ids(COUNT), vectors: vectors(COUNT) })
      const bytes = await exported(writer)
      const reader = await tab(name, { readOnly: true })
      const stream = reader.export().getReader()
      const parts: Uint8Array[] = []
      for (let i = 0; ; i++) {
        await writer.upsert('more', [{ id: `${i}`, vector: new Float32Array(D).fill(1) }])
        const { done, value } = await stream.read()
        if (done) break
        parts.push(value)
      }
      expect(same(joined(parts), bytes)).toBe(true)
      const late = reader.export().getReader()
      for (let i = 0; i < 2; i++) await late.read()
      await writer.compact()
      await writer.upsert('c', { ids: ids(COUNT), vectors: vectors(COUNT) })
      await writer.compact()
      expect(
        await codeOf(async () => {
          while (!(await late.read()).done);
        }),
      ).toBe('ABORTED')
    })
  })
}

/** Returns a script after which all handles together have room for this many bytes. */
const full = (after: number) => `
  let left = ${after}
  const { write } = FileSystemSyncAccessHandle.prototype
  FileSystemSyncAccessHandle.prototype.write = function (buffer, options) {
    left -= buffer.byteLength
    if (left < 0) throw new DOMException('full', 'QuotaExceededError')
    return write.call(this, buffer, options)
  }`

describe('a full quota', () => {
  const store = async (storage: StorageKind, size: number) => {
    const db = await Nidus.open(fresh(), { dimension: D, storage, autoCompact: false })
    await db.upsert('c', { ids: ids(size), vectors: vectors(size) })
    const bytes = await exported(db)
    await db.close()
    return bytes
  }

  it('in OPFS leaves nothing of a new store, and does not change the old one', async () => {
    const [small, big] = [await store('opfs', 100), await store('opfs', 60_000)]
    for (const after of [1000, 70_000, 3_000_000]) {
      const name = fresh()
      const worker = () => patchedWorker(full(after))
      expect(await codeOf(() => Nidus.import(name, big, { storage: 'opfs', worker }))).toBe('QUOTA_EXCEEDED')
      await nothing(name)
      await (await Nidus.import(name, small, { storage: 'opfs' })).close()
      expect(await codeOf(() => Nidus.import(name, big, { storage: 'opfs', replace: true, worker }))).toBe(
        'QUOTA_EXCEEDED',
      )
      const sizes = await Promise.all(
        ['data.0', 'log.0', 'data.1', 'log.1'].map(
          async (file) => (await (await (await directory(name)).getFileHandle(file)).getFile()).size,
        ),
      )
      expect(sizes.reduce((a, b) => a + b)).toBe(untar(small).data.length + untar(small).log.length)
      const db = await Nidus.open(name)
      expect(same(await exported(db), small)).toBe(true)
      await db.close()
    }
  })

  it('in IndexedDB leaves nothing of a new store, and does not change the old one', async () => {
    const [small, big] = [await store('indexeddb', 100), await store('indexeddb', 150_000)]
    const name = fresh()
    const full = async (replace: boolean) => {
      const watched = watchedWorker()
      let told = false
      const onProgress = () => {
        if (!told) void watched.ask('quota after 8')
        told = true
      }
      return codeOf(() =>
        Nidus.import(name, stream(big, 200_000), { storage: 'indexeddb', replace, worker: watched.worker, onProgress }),
      )
    }
    expect(await full(false)).toBe('QUOTA_EXCEEDED')
    await nothing(name)
    await (await Nidus.import(name, small, { storage: 'indexeddb' })).close()
    expect(await full(true)).toBe('QUOTA_EXCEEDED')
    await isWhole(name)
    expect((await extentsOf(name)).length).toBeLessThan(10)
    const db = await Nidus.open(name)
    expect(same(await exported(db), small)).toBe(true)
    await db.close()
  })
})
