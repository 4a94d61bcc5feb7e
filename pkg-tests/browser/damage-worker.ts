// The stores of ./damage-table.test.ts, in a worker. There a call takes milliseconds, because nothing crosses to
// another thread.
import { Nidus } from 'nidus-wasm'
import { BYTES, CSV, factsOf, type File, type Place, type States } from '../common/damage'

type Kind = 'opfs' | 'indexeddb'
const D = 4
const PREFIX = 'damage-table'
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

async function store(storage: Kind, name: string, rows: number) {
  const db = await Nidus.open(name, { dimension: D, storage })
  for (let i = 0; i < rows; i++) await db.upsert('c', [{ id: `${i}`, vector: [i + 1, 1, 0, 0] }])
  await db.close()
}

let whole: Uint8Array
const callsOn = (storage: Kind): Place['calls'] => ({
  open: async (name) => (await Nidus.open(name, { dimension: D, storage })).close(),
  'open readOnly': async (name) => (await Nidus.open(name, { readOnly: true, storage })).close(),
  salvage: (name) => Nidus.salvage(name, `${name}-salvaged`, { storage }),
  import: async (name) => (await Nidus.import(name, whole, { storage })).close(),
  'import replace': async (name) => (await Nidus.import(name, whole, { storage, replace: true })).close(),
  destroy: (name) => Nidus.destroy(name, { storage }),
})

const root = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm', { create: true })
interface Sync {
  truncate(size: number): void
  write(bytes: Uint8Array, at: { at: number }): void
  close(): void
}
type Entries = AsyncIterable<[string, FileSystemFileHandle | FileSystemDirectoryHandle]>
const bytesOf = async (entry: FileSystemFileHandle) => new Uint8Array(await (await entry.getFile()).arrayBuffer())
const inOpfs = (file: File) => (file === 'head' ? file : `${file}.0`)
async function put(folder: FileSystemDirectoryHandle, name: string, bytes: Uint8Array) {
  const to = await (
    (await folder.getFileHandle(name, { create: true })) as unknown as { createSyncAccessHandle(): Promise<Sync> }
  ).createSyncAccessHandle()
  to.truncate(0)
  to.write(bytes, { at: 0 })
  to.close()
}

const inFile: States = {
  ...Object.fromEntries(
    Object.entries(BYTES).map(([state, change]) => [
      state,
      async (name: string, file: File) => {
        const [folder, other] = await Promise.all([
          (await root()).getDirectoryHandle(name),
          (await root()).getDirectoryHandle(`${PREFIX}-other-opfs`),
        ])
        const read = async (from: FileSystemDirectoryHandle) => bytesOf(await from.getFileHandle(inOpfs(file)))
        const bytes = change(await read(folder), await read(other))
        await (bytes ? put(folder, inOpfs(file), bytes) : folder.removeEntry(inOpfs(file)))
      },
    ]),
  ),
  'a folder': async (name, file) => {
    const folder = await (await root()).getDirectoryHandle(name)
    await folder.removeEntry(inOpfs(file))
    await folder.getDirectoryHandle(inOpfs(file), { create: true })
  },
}
const opfs: Place = {
  calls: callsOn('opfs'),
  async all(name) {
    const folder = await (await root()).getDirectoryHandle(name).catch(() => undefined)
    const found: Record<string, string> = {}
    if (!folder) return found
    for await (const [file, entry] of folder as unknown as Entries)
      found[file] = entry.kind === 'file' ? hex(await bytesOf(entry)) : 'a folder'
    return found
  },
  async copy(from, to) {
    const [source, target] = await Promise.all([
      (await root()).getDirectoryHandle(from),
      (await root()).getDirectoryHandle(to, { create: true }),
    ])
    for await (const [file, entry] of source as unknown as Entries)
      await put(target, file, await bytesOf(entry as FileSystemFileHandle))
  },
  states: { data: inFile, log: inFile, head: inFile },
}

const answer = <T>(request: IDBRequest<T>) =>
  new Promise<T>(
    (resolve, reject) => (
      (request.onsuccess = () => resolve(request.result)),
      (request.onerror = () => reject(request.error))
    ),
  )
/** Works on all object stores of a database in one transaction. */
async function inDatabase<T>(
  name: string,
  mode: IDBTransactionMode,
  make: boolean,
  work: (of: (store: string) => IDBObjectStore, stores: string[]) => Promise<T>,
): Promise<T | undefined> {
  const request = indexedDB.open(`nidus-wasm:${name}`, 1)
  request.onupgradeneeded = () => {
    if (!make) return request.transaction!.abort()
    for (const store of ['extents', 'meta']) request.result.createObjectStore(store)
  }
  const db = await answer(request).catch(() => undefined)
  if (!db) return undefined
  try {
    const stores = [...db.objectStoreNames]
    const transaction = db.transaction(stores, mode)
    const ended = new Promise(
      (resolve, reject) => (
        (transaction.oncomplete = resolve),
        (transaction.onabort = () => reject(transaction.error))
      ),
    )
    const result = await work((store) => transaction.objectStore(store), stores)
    await ended
    return result
  } finally {
    db.close()
  }
}
type Pair = [key: IDBValidKey, value: unknown]
const recordsOf = (name: string) =>
  inDatabase(name, 'readonly', false, async (of, stores) => {
    const found: [string, Pair[]][] = []
    for (const store of stores) {
      const [keys, values] = await Promise.all([answer(of(store).getAllKeys()), answer(of(store).getAll())])
      found.push([store, keys.map((key, i) => [key, values[i]])])
    }
    return found
  })
/** Returns the range of keys of a file's extents. Its bytes are in them, one after the other. `meta` has its length. */
const extentsOf = (file: File) => IDBKeyRange.bound([file], [file, []])
const text = (value: unknown) =>
  JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? hex(part) : part))

const inExtents: States = Object.fromEntries(
  Object.entries(BYTES).map(([state, change]) => [
    state,
    async (name: string, file: File) => {
      const bytesIn = async (store: string) => {
        const extents = new Map(await recordsOf(store)).get('extents')!.filter(([key]) => (key as string[])[0] === file)
        return Uint8Array.from(extents.flatMap(([, value]) => [...(value as Uint8Array)]))
      }
      const other = `${PREFIX}-other-indexeddb`
      const bytes = change(await bytesIn(name), await bytesIn(other))
      const theirs = new Map(await recordsOf(other)).get('meta')![0]![1] as Row
      await inDatabase(name, 'readwrite', false, async (of) => {
        of('extents').delete(extentsOf(file))
        if (bytes)
          of('extents').put(state === "another program's" ? new TextDecoder().decode(CSV) : bytes, [file, 0, 0])
      })
      if (state === "another store's")
        await inMeta(name, (meta, row) => meta.put({ ...row, [file]: theirs[file as 'data'] }, 'store'))
    },
  ]),
)
type Row = { data: number; log: number }
/** Changes the row in `meta` that describes the whole store. */
const inMeta = (name: string, change: (meta: IDBObjectStore, row: Row) => unknown) =>
  inDatabase(
    name,
    'readwrite',
    false,
    async (of) => void change(of('meta'), await answer(of('meta').get('store') as IDBRequest<Row>)),
  )

const indexeddb: Place = {
  calls: callsOn('indexeddb'),
  async all(name) {
    const found: { [what: string]: string } = {}
    for (const [store, records] of (await recordsOf(name)) ?? []) {
      if (store !== 'extents')
        found[store] = text(
          records.map(([key, value]) => [key, typeof value === 'object' ? { ...value, epoch: '' } : value]),
        )
      else
        for (const [key, value] of records) {
          const what = Array.isArray(key) && key.length === 3 ? `${key[0] as string}` : text(key)
          found[what] = (found[what] ?? '') + (value instanceof Uint8Array ? hex(value) : text(value))
        }
    }
    return found
  },
  async copy(from, to) {
    const records = (await recordsOf(from))!
    await inDatabase(to, 'readwrite', true, async (of) => {
      for (const [store, all] of records) for (const [key, value] of all) of(store).put(value, key)
    })
  },
  states: {
    data: inExtents,
    log: inExtents,
    meta: {
      absent: (name) => inMeta(name, (meta) => meta.delete('store')),
      'without its lengths': (name) =>
        inMeta(name, (meta, { data: _data, log: _log, ...rest }) => meta.put(rest, 'store')),
      'of zeros': (name) => inMeta(name, (meta, row) => meta.put({ ...row, data: 0, log: 0 }, 'store')),
      "another program's": (name) => inMeta(name, (meta) => meta.put('my own', 'store')),
      "beside another program's": (name) => inMeta(name, (meta) => meta.put('my own', 'mine')),
    },
    extents: {
      "beside another program's": (name) =>
        inDatabase(name, 'readwrite', false, async (of) => of('extents').put('my own', 'mine')),
    },
  },
}

async function clear() {
  const folder = await root()
  for await (const [name] of folder as unknown as Entries)
    if (name.startsWith(PREFIX)) await folder.removeEntry(name, { recursive: true })
  for (const { name } of await indexedDB.databases())
    if (name?.startsWith(`nidus-wasm:${PREFIX}`)) await answer(indexedDB.deleteDatabase(name))
  const opening = indexedDB.open('nidus-wasm')
  opening.onupgradeneeded = () => opening.transaction!.abort()
  const stores = await answer(opening).catch(() => undefined)
  if (stores)
    await answer(
      stores
        .transaction('stores', 'readwrite')
        .objectStore('stores')
        .delete(IDBKeyRange.bound(PREFIX, `${PREFIX}~`)),
    )
  stores?.close()
}

const places = { opfs, indexeddb }
const tasks = {
  clear,
  async make(kind: Kind) {
    await store(kind, `${PREFIX}-${kind}`, 40)
    await store(kind, `${PREFIX}-other-${kind}`, 7)
    const db = await Nidus.open(`${PREFIX}-other-${kind}`, { readOnly: true, storage: kind })
    whole = new Uint8Array(await new Response(db.export()).arrayBuffer())
    await db.close()
    const { calls, states } = places[kind]
    return {
      calls: Object.keys(calls),
      rows: Object.entries(states).flatMap(([file, of]) =>
        Object.keys(of).map((state) => [file as File, state] as const),
      ),
    }
  },
  facts: (kind: Kind, file: File, state: string) => factsOf(places[kind], `${PREFIX}-${kind}`, file, state),
}
export type Tasks = typeof tasks

// The test runner rewrites `import()` to call a wrapper that only pages have.
Object.assign(globalThis, {
  __vitest_browser_runner__: { wrapDynamicImport: (load: () => unknown) => load() },
  Worker: undefined,
})
onmessage = async ({ data: [task, ...args] }: MessageEvent<[keyof Tasks, ...unknown[]]>) => {
  const work = tasks[task] as (...args: unknown[]) => Promise<unknown>
  postMessage(
    await work(...args).then(
      (ok) => ({ ok }),
      (error: Error) => ({ error: `${error.message} ${error.stack}` }),
    ),
  )
}
postMessage('ready')
