import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Nidus, NidusError } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { NidusVectorStore } from 'nidus-wasm/langchain'
import { Segment, init } from 'nidus-wasm/segment'

const parent = mkdtempSync(join(tmpdir(), 'nidus-keys-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))
const q = [1, 0, 0]
let made = 0
const memory = { storage: 'memory', dimension: 3 } as const

/** One object of one call: the keys that it has, and the call with another object in its place. */
type Place = [what: string, keys: string[], call: (object: object) => unknown]

const OPEN = ['dimension', 'storage', 'readOnly', 'durability', 'autoCompact', 'maxVectorBytes', 'compat', 'memory', 'workers', 'multiTab', 'worker', 'wasm']
const SEARCH = ['collections', 'topK', 'minScore', 'filter', 'withVectors', 'signal']
const STORE = ['storage', 'root', 'worker', 'wasm']

const misspelt = (key: string) => [key.toUpperCase(), `${key}s`, `${key.slice(0, -1)}_${key.at(-1)}`].filter((wrong) => wrong !== key)

it('refuses a misspelt key in every object that a public method takes, and names the right one', async () => {
  await init()
  const db = await Nidus.open('keys', memory)
  await db.upsert('docs', [{ id: 'a', vector: q }])
  const no = () => 0
  const sink = { read: no, write: no, truncate() {}, flush() {}, getSize: no, close() {} }
  const fresh = () => join(parent, `${made++}`)
  const places: Place[] = [
    ['open', OPEN, (o) => Nidus.open(fresh(), { ...memory, ...o })],
    ['list', STORE, (o) => Nidus.list(o)],
    ['destroy', STORE, (o) => Nidus.destroy(fresh(), o)],
    ['persistence', ['request', 'timeout'], (o) => Nidus.persistence(o)],
    ['salvage', ['dimension', 'storage', 'into', 'worker', 'wasm'], (o) => Nidus.salvage(fresh(), fresh(), o)],
    ['import', [...OPEN, 'replace', 'signal', 'onProgress'], (o) => Nidus.import(fresh(), new Uint8Array(0), o)],
    ['the source of import', ['data', 'log'], (o) => Nidus.import(fresh(), { data: new Uint8Array(0), log: new Uint8Array(0), ...o } as never)],
    ['fromStatic', ['memory', 'onProgress', 'signal', 'cache', 'headers', 'fetch', 'wasm', 'timeout'], (o) => Nidus.fromStatic('http://127.0.0.1:1/', o)],
    ['the source of fromStatic', ['data', 'log', 'bucket'], (o) => Nidus.fromStatic({ data: new Blob([]), log: new Blob([]), ...o } as never)],
    ['upsert', ['signal', 'onProgress', 'transfer'], (o) => db.upsert('docs', [{ id: 'b', vector: q }], o)],
    ['a record', ['id', 'vector', 'attrs'], (o) => db.upsert('docs', [{ id: 'b', vector: q, ...o }])],
    ['columns', ['ids', 'vectors', 'attrs'], (o) => db.upsert('docs', { ids: ['b'], vectors: Float32Array.from(q), ...o })],
    ['search', SEARCH, (o) => db.search(q, o)],
    ['searchMany', SEARCH, (o) => db.searchMany([q], o)],
    ['records', ['filter'], (o) => db.records('docs', o).next()],
    ['Segment.search', ['topK', 'minScore'], (o) => Segment.inMemory(3).search(Float32Array.from(q), o)],
    ['Segment.open', ['dimension'], (o) => Segment.open(sink, { dimension: 3, ...o })],
    ['durableObject', ['name'], (o) => durableObject({ transactionSync() {}, async sync() {} } as never, o)],
    ['NidusVectorStore', ['db', 'collection', 'textKey'], (o) => new NidusVectorStore({} as never, { db, ...o })],
  ]
  let tried = 0
  for (const [what, keys, call] of places) {
    for (const key of keys) {
      for (const wrong of misspelt(key).filter((wrong) => !keys.includes(wrong))) {
        tried++
        const error: unknown = await (async () => call({ [wrong]: 1 }))().then(() => undefined, (error: unknown) => error)
        expect(error, `${what}: ${wrong}`).toBeInstanceOf(NidusError)
        expect((error as NidusError).code, `${what}: ${wrong}`).toBe('INVALID_ARGUMENT')
        expect((error as Error).message, `${what}: ${wrong}`).toMatch(/unknown (option|key) `/)
        expect((error as Error).message).toContain(`did you mean \`${key}\`?`)
      }
    }
  }
  console.log(`${tried} objects with a misspelt key were refused, in ${places.length} places`)
  expect(await db.count()).toBe(1)
  await db.close()
})

/** Public methods, by whether an object of theirs is in the places above; who adds one says which. */
const METHODS = {
  tried: ['open', 'list', 'destroy', 'persistence', 'salvage', 'import', 'fromStatic', 'upsert', 'search', 'searchMany', 'records'],
  // What `count` and `deleteWhere` take are filters, whose keys are the user's own; `setMeta` takes any keys.
  takesNone: ['createCollection', 'dropCollection', 'hasCollection', 'collections', 'getMeta', 'setMeta', 'get', 'count', 'delete', 'deleteWhere', 'flush', 'compact', 'footprint', 'export', 'close'],
}

it('knows of every public method whether it takes an object', () => {
  const own = (of: object) => Object.getOwnPropertyNames(of).filter((name) => !['length', 'name', 'prototype', 'constructor'].includes(name))
  expect([...own(Nidus), ...own(Nidus.prototype)].sort()).toEqual([...METHODS.tried, ...METHODS.takesNone].sort())
  expect([...own(Segment), ...own(Segment.prototype)].sort()).toEqual(['open', 'inMemory', 'append', 'search', 'close', 'rewriteTo', 'row', 'rowCount', 'sync', 'truncateTo'].sort())
})

it('tells what to do about another dimension, a store that is there, and a search that was aborted', async () => {
  const name = join(parent, 'texts')
  const db = await Nidus.open(name, { dimension: 3 })
  await db.upsert('c', [{ id: 'a', vector: q }])
  const tar = new Uint8Array(await new Response(db.export()).arrayBuffer())
  await expect(db.search(q, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED', message: expect.not.stringContaining('written') })
  await db.close()
  await expect(Nidus.open(name, { dimension: 4 })).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH', message: expect.stringMatching(/dimension 3.*4.*(another name|model)/s) })
  await expect(Nidus.import(name, tar)).rejects.toMatchObject({ code: 'ALREADY_EXISTS', message: expect.stringContaining('replace: true') })
})

it('tells what other products call it', async () => {
  const db = await Nidus.open('keys', memory)
  for (const [wrong, right] of [['limit', 'topK'], ['k', 'topK'], ['where', 'filter'], ['collection', 'collections']] as const) {
    await expect(db.search(q, { [wrong]: 1 })).rejects.toThrow(`search: unknown option \`${wrong}\`: did you mean \`${right}\`?`)
  }
  for (const [wrong, right] of [['metadata', 'attrs'], ['metadatas', 'attrs'], ['payload', 'attrs']] as const) {
    await expect(db.upsert('c', [{ id: 'a', vector: q, [wrong]: {} }])).rejects.toThrow(`record 0 (id "a"): unknown key \`${wrong}\`: did you mean \`${right}\`?`)
  }
  await expect(Nidus.open('other', { ...memory, metric: 'dot' } as never)).rejects.toThrow('always the cosine')
  await expect(db.search(q, { filter: { year: { gte: 1 } } as never })).rejects.toThrow('did you mean `$gte`?')
  await expect(db.search(q, { filter: { title: { $regex: 'x' } } as never })).rejects.toThrow(/\$exists.*did you mean `\$glob`/)
  await db.close()
})

it('takes undefined for absent, own keys alone, and no filter but an object', async () => {
  const db = await Nidus.open('keys', memory)
  class Options { topK = 1 }
  Object.defineProperty(Options.prototype, 'helper', { value: 1, enumerable: true })
  expect(await db.search(q, { topK: undefined, where: undefined } as never)).toEqual([])
  expect(await db.search(q, new Options())).toEqual([])
  expect(await db.search(q, new Proxy({ topK: 1 }, {}))).toEqual([])
  expect(await db.search(q, Object.assign(Object.create(null), { topK: 1, [Symbol('s')]: 1 }))).toEqual([])
  for (const filter of [null, 0, '', false, [], 'x', new Map(), new Date(), () => 1]) {
    for (const call of [() => db.search(q, { filter } as never), () => db.searchMany([q], { filter } as never), () => db.count('c', filter as never), () => db.deleteWhere('c', filter as never), () => db.records('c', { filter } as never).next()]) {
      await expect((async () => call())(), String(filter)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  }
  await db.close()
})

it('answers INVALID_ARGUMENT where an object cannot be read', async () => {
  const db = await Nidus.open('keys', memory)
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const gone = proxy as never
  const endless = new Array(2 ** 32 - 1) as never
  const calls: (() => unknown)[] = [
    () => Nidus.open(gone), () => Nidus.open('x', gone), () => Nidus.open('x', { storage: gone }), () => Nidus.import('x', gone, { storage: 'memory' }), () => Nidus.fromStatic(gone), () => db.search(gone), () => db.search(q, gone),
    () => db.search(q, { filter: gone }), () => db.search(q, { signal: gone }), () => db.search(q, { collections: gone }), () => db.upsert('c', gone), () => db.upsert('c', [gone]), () => db.get('c', gone), () => db.setMeta('c', gone),
    () => db.get('c', endless), () => db.delete('c', endless), () => db.upsert('c', endless), () => db.searchMany(endless), () => db.search(q, { collections: endless }), () => db.upsert('c', [, { id: 'a', vector: q }] as never),
    () => db.upsert('c', [{ id: 'a', get vector(): number[] { throw new Error('no') } }]), () => db.upsert('c', [{ id: Symbol('a') as never, vector: q }]), () => db.search([1n, 0, 0] as never),
    () => db.search(q, { topK: '5' as never }), () => db.search(q, { minScore: NaN }), () => db.search(q, { withVectors: 1 as never }), () => db.upsert('c', [], { transfer: 'yes' as never }),
  ]
  for (const [i, call] of calls.entries()) await expect((async () => call())(), `call ${i}: ${call}`).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await db.count()).toBe(0)
  await db.close()
})
