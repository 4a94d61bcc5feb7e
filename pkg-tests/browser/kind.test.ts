import { afterEach, describe, expect, it } from 'vitest'
import { Nidus, type NidusError, type OpenOptions } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { D, answer, rows, watchedWorker } from './idb-tools'
import { inWorker } from './in-worker'

/** Each thing that a browser may lack, and the code that removes it before the package's worker loads. */
const LACKING = {
  nothing: '',
  handles:
    'FileSystemFileHandle.prototype.createSyncAccessHandle = async () => { throw new DOMException("not here", ' +
    '"NotSupportedError") }',
  methods: 'delete FileSystemFileHandle.prototype.createSyncAccessHandle',
  opfs: 'Object.defineProperty(navigator, "storage", { value: undefined })',
  'private opfs': 'navigator.storage.getDirectory = async () => { throw new DOMException("private", "SecurityError") }',
  indexeddb: 'Object.defineProperty(globalThis, "indexedDB", { value: undefined, configurable: true })',
  'room in opfs':
    'FileSystemDirectoryHandle.prototype.getFileHandle = async () => { throw new DOMException("full", ' +
    '"QuotaExceededError") }',
} as const
type Lack = keyof typeof LACKING

let n = 0
const used: string[] = []
const fresh = () => {
  used.push(`kind ü. ${Date.now()} ${n++}`)
  return used.at(-1)!
}
const without = (...lacking: Lack[]) => watchedWorker(lacking.map((lack) => LACKING[lack]).join('\n')).worker
const open = (name: string, options: OpenOptions = {}) => Nidus.open(name, { dimension: D, ...options })
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: NidusError) => error,
  )

const root = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm', { create: true })
const encoded = (name: string) => encodeURIComponent(name).replace(/\./g, '%2E')
async function there(name: string) {
  const databases = await indexedDB.databases()
  const directory = await (await root()).getDirectoryHandle(encoded(name)).then(
    () => true,
    () => false,
  )
  return [directory && 'opfs', databases.some((info) => info.name === `nidus-wasm:${name}`) && 'indexeddb'].filter(
    Boolean,
  )
}
async function registry<T>(mode: IDBTransactionMode, work: (stores: IDBObjectStore) => IDBRequest<T>) {
  const db = await answer(indexedDB.open('nidus-wasm'))
  const done = answer(work(db.transaction('stores', mode).objectStore('stores')))
  return done.finally(() => db.close())
}
const recorded = async (name: string) =>
  ((await registry('readonly', (stores) => stores.get(name))) as { kind: string } | undefined)?.kind
const forget = (name: string) => registry('readwrite', (stores) => stores.delete(name))

afterEach(async () => {
  for (const name of used.splice(0)) {
    for (const storage of ['opfs', 'indexeddb'] as const) await Nidus.destroy(name, { storage })
    await Nidus.destroy(name)
    expect(await there(name)).toEqual([])
    expect(await recorded(name)).toBeUndefined()
  }
})

describe('the kind of storage', () => {
  it('is OPFS if a handle can be opened, and is recorded', async () => {
    const name = fresh()
    const db = await open(name)
    expect(db.storage).toBe('opfs')
    await db.close()
    expect(await recorded(name)).toBe('opfs')
    expect(await there(name)).toEqual(['opfs'])
    // The file by which the package tried the storage is gone.
    const files: string[] = []
    for await (const file of ((await root()) as unknown as { keys(): AsyncIterable<string> }).keys()) files.push(file)
    expect(files.filter((file) => file.startsWith('probe'))).toEqual([])
  })

  it.for(['handles', 'methods', 'opfs', 'private opfs'] as const)(
    'is IndexedDB without %s, and stays IndexedDB when OPFS works later',
    async (lack) => {
      const name = fresh()
      const db = await open(name, { worker: without(lack) })
      expect(db.storage).toBe('indexeddb')
      await db.upsert('c', rows(3))
      await db.close()
      expect(await recorded(name)).toBe('indexeddb')
      const again = await open(name)
      expect(again.storage).toBe('indexeddb')
      expect(await again.count()).toBe(3)
      await again.close()
      const reader = await open(name, { readOnly: true })
      expect([reader.storage, await reader.count()]).toEqual(['indexeddb', 3])
      await reader.close()
      expect(await there(name)).toEqual(['indexeddb'])
    },
  )

  it.for(['handles', 'methods', 'opfs', 'private opfs'] as const)(
    'stays OPFS when there are no %s later',
    async (lack) => {
      const name = fresh()
      const db = await open(name)
      await db.upsert('c', rows(3))
      await db.close()
      const worker = without(lack)
      // Without synchronous handles a store can still be read.
      const seen = lack === 'handles' || lack === 'methods'
      if (seen) await (await open(name, { worker, readOnly: true })).close()
      else expect(await codeOf(() => open(name, { worker, readOnly: true }))).toBe('STORAGE_UNAVAILABLE')
      expect(await codeOf(() => Nidus.open(name, { worker }))).toBe('STORAGE_UNAVAILABLE')
      const error = await refusal(open(name, { worker }))
      expect(error?.code).toBe('STORAGE_UNAVAILABLE')
      expect(error?.message).toContain('opfs')
      expect(await codeOf(() => open(name, { worker, storage: 'indexeddb' }))).toBe('STORAGE_UNAVAILABLE')
      expect(await there(name)).toEqual(['opfs'])
      const again = await open(name)
      expect(await again.count()).toBe(3)
      await again.close()
    },
  )

  it('stays IndexedDB when there is no IndexedDB later', async () => {
    const name = fresh()
    await (await open(name, { worker: without('handles') })).close()
    const worker = without('indexeddb')
    expect(await codeOf(() => open(name, { worker }))).toBe('STORAGE_UNAVAILABLE')
    expect(await codeOf(() => open(name, { worker, readOnly: true }))).toBe('STORAGE_UNAVAILABLE')
    expect(await codeOf(() => Nidus.destroy(name, { worker }))).toBe('STORAGE_UNAVAILABLE')
    expect(await there(name)).toEqual(['indexeddb'])
    expect(await recorded(name)).toBe('indexeddb')
  })

  it('cannot be chosen if neither works, and the error says what was tried', async () => {
    const name = fresh()
    const error = await refusal(open(name, { worker: without('handles', 'indexeddb') }))
    expect(error?.code).toBe('STORAGE_UNAVAILABLE')
    expect(error?.message).toMatch(/OPFS.*not here.*IndexedDB/)
    expect((error?.cause as Error).message).toContain('not here')
    expect(await there(name)).toEqual([])
    expect(await recorded(name)).toBeUndefined()
  })

  it('does not change when there is no room', async () => {
    const name = fresh()
    expect(await codeOf(() => open(name, { worker: without('room in opfs') }))).toBe('QUOTA_EXCEEDED')
    expect(await there(name)).toEqual([])
    expect(await recorded(name)).toBeUndefined()
  })

  it('is OPFS without a record only if the caller asks for OPFS or the store is there', async () => {
    const name = fresh()
    const worker = without('indexeddb')
    for (const options of [{}, { storage: 'indexeddb' }, { readOnly: true }] satisfies OpenOptions[]) {
      expect(await codeOf(() => open(name, { worker, ...options }))).toBe('STORAGE_UNAVAILABLE')
    }
    expect(await codeOf(() => Nidus.destroy(name, { worker }))).toBe('STORAGE_UNAVAILABLE')
    expect(await there(name)).toEqual([])
    const db = await open(name, { worker, storage: 'opfs' })
    await db.upsert('c', rows(2))
    await db.close()
    for (const options of [{ worker }, {}]) {
      const again = await open(name, options)
      expect([again.storage, await again.count()]).toEqual(['opfs', 2])
      await again.close()
    }
    expect(await recorded(name)).toBe('opfs')
  })

  it('is the same for two threads that create a store at once, even if one of them cannot use OPFS', async () => {
    for (let round = 0; round < 6; round++) {
      const name = fresh()
      const [one, other] = await Promise.all([opener(name, 'handles'), opener(name, 'nothing')])
      const kind = await recorded(name)
      expect(await there(name)).toEqual([kind])
      expect([one, other].filter((how) => how === kind).length).toBeGreaterThanOrEqual(1)
      for (const how of [one, other])
        expect([kind, 'LOCKED', ...(kind === 'opfs' ? ['STORAGE_UNAVAILABLE'] : [])]).toContain(how)
    }
  })

  it('is kept for a store that an earlier version made', async () => {
    for (const storage of ['opfs', 'indexeddb'] as const) {
      const name = fresh()
      const db = await open(name, { storage })
      await db.upsert('c', rows(4))
      await db.close()
      await forget(name)
      const reader = await Nidus.open(name, { readOnly: true })
      expect([reader.storage, await reader.count()]).toEqual([storage, 4])
      await reader.close()
      expect(await recorded(name)).toBeUndefined()
      const other = storage === 'opfs' ? 'indexeddb' : 'opfs'
      const error = await refusal(open(name, { storage: other }))
      expect([error?.code, error?.message]).toEqual([
        'STORAGE_UNAVAILABLE',
        `the store "${name}" is kept in ${storage}, not in ${other}: leave out \`storage\``,
      ])
      const again = await Nidus.open(name)
      expect([again.storage, await again.count()]).toEqual([storage, 4])
      await again.close()
      expect(await recorded(name)).toBe(storage)
      expect(await there(name)).toEqual([storage])
      await forget(name)
      await Nidus.destroy(name)
      expect(await there(name)).toEqual([])
    }
  })

  it('is recorded also if the caller names it, and then no other kind is possible', async () => {
    for (const [storage, other] of [
      ['opfs', 'indexeddb'],
      ['indexeddb', 'opfs'],
    ] as const) {
      const name = fresh()
      await (await open(name, { storage })).close()
      expect(await recorded(name)).toBe(storage)
      for (const options of [{}, { readOnly: true }]) {
        const error = await refusal(open(name, { storage: other, ...options }))
        expect([error?.code, error?.message]).toEqual([
          'STORAGE_UNAVAILABLE',
          `the store "${name}" is kept in ${storage}, not in ${other}: leave out \`storage\``,
        ])
      }
      expect(await there(name)).toEqual([storage])
    }
    const name = fresh()
    expect(await codeOf(() => open(name, { storage: 'opfs', worker: without('handles') }))).toBe('STORAGE_UNAVAILABLE')
    expect(await recorded(name)).toBeUndefined()
  })

  it('is not recorded for stores in memory, nor by openings that may not create a store', async () => {
    const name = fresh()
    expect(await codeOf(() => Nidus.open(name))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(() => open(name, { readOnly: true }))).toBe('NOT_FOUND')
    await (await open(name, { storage: 'memory' })).close()
    expect(await there(name)).toEqual([])
    expect(await recorded(name)).toBeUndefined()
  })

  it('is listed with the store and destroyed with it', async () => {
    const [inFiles, inDatabase] = [fresh(), fresh()]
    await (await open(inFiles)).close()
    await (await open(inDatabase, { worker: without('opfs') })).close()
    const kinds = async (options = {}) =>
      Object.fromEntries(
        (await Nidus.list(options))
          .filter(({ name }) => used.includes(name))
          .map(({ name, storage }) => [name, storage]),
      )
    expect(await kinds()).toEqual({ [inFiles]: 'opfs', [inDatabase]: 'indexeddb' })
    expect(await kinds({ storage: 'opfs' })).toEqual({ [inFiles]: 'opfs' })
    expect(await kinds({ storage: 'indexeddb' })).toEqual({ [inDatabase]: 'indexeddb' })
    expect(await kinds({ worker: without('opfs') })).toEqual({ [inDatabase]: 'indexeddb' })
    expect(await kinds({ worker: without('indexeddb') })).toEqual({ [inFiles]: 'opfs' })
    expect(await codeOf(() => Nidus.list({ worker: without('opfs', 'indexeddb') }))).toBe('STORAGE_UNAVAILABLE')
    // There is no store of this kind, and the other one stays recorded.
    await Nidus.destroy(inFiles, { storage: 'indexeddb' })
    expect(await recorded(inFiles)).toBe('opfs')
    expect(await codeOf(() => Nidus.destroy(inFiles, { worker: without('opfs') }))).toBe('STORAGE_UNAVAILABLE')
    expect(await there(inFiles)).toEqual(['opfs'])
    await Nidus.destroy(inFiles)
    await Nidus.destroy(inDatabase)
    expect(await kinds()).toEqual({})
    expect([await recorded(inFiles), await recorded(inDatabase)]).toEqual([undefined, undefined])
    // After the store is destroyed, the kind is chosen anew.
    const db = await open(inDatabase)
    expect(db.storage).toBe('opfs')
    await db.close()
  })

  it('stays recorded when a store vanished, and does no harm', async () => {
    const name = fresh()
    await (await open(name, { worker: without('opfs') })).close()
    await answer(indexedDB.deleteDatabase(`nidus-wasm:${name}`))
    expect(await codeOf(() => Nidus.open(name))).toBe('INVALID_ARGUMENT')
    expect((await Nidus.list()).some((info) => info.name === name)).toBe(false)
    const db = await open(name)
    expect([db.storage, db.recovery.created]).toEqual(['indexeddb', true])
    await db.close()
  })

  it('is not destroyed while it is being opened', async () => {
    const name = fresh()
    let let_go!: () => void
    void navigator.locks.request(
      `nidus-wasm:kind:${name}`,
      { mode: 'shared' },
      () => new Promise<void>((resolve) => (let_go = resolve)),
    )
    await (await open(name)).close()
    expect(await codeOf(() => Nidus.destroy(name))).toBe('LOCKED')
    expect(await there(name)).toEqual(['opfs'])
    let_go()
    await Nidus.destroy(name)
  })
})

/** Opens the store in a worker with its own copy of the package: a page refuses to open the same name twice. */
function opener(name: string, lack: Lack) {
  const worker = inWorker(async ({ url, name, spoil }: { url: string; name: string; spoil: string }, load) => {
    Object.defineProperty(globalThis, 'Worker', { value: undefined, configurable: true })
    Object.assign(globalThis, { __vitest_browser_runner__: { wrapDynamicImport: (load: () => unknown) => load() } })
    new Function(spoil)()
    const { Nidus } = (await load(url)) as typeof import('nidus-wasm')
    try {
      const db = await Nidus.open(name, { dimension: 4 })
      await db.close()
      return db.storage
    } catch (error) {
      return (error as NidusError).code as string
    }
  })
  return worker
    .run({ url: new URL('../../dist/browser.js', import.meta.url).href, name, spoil: LACKING[lack] })
    .finally(worker.end)
}
