// Calls public methods with misspelt keys, and with values of a wrong type, in each object that they take. Runs in
// every runtime.
import { expect } from 'vitest'
import type { NidusVectorStore } from 'nidus-wasm/langchain'
import type { liveSearch } from 'nidus-wasm/live'
import type { TextIndex } from 'nidus-wasm/text'
import type { transformers } from 'nidus-wasm/text/transformers'
import type { Kind, Taken } from './public-types.mjs'

type Entry = Pick<typeof import('nidus-wasm'), 'Nidus'>
type Db = import('nidus-wasm').Nidus

/**
 * A call of a public method. The keys of `object` are added to one of the objects that it takes, or replace keys of it.
 */
export type Call = (object: object) => unknown
export type Calls = Record<string, Call>

const q = [1, 0, 0]
const memory = { storage: 'memory', dimension: 3 } as const
let made = 0

/**
 * Returns the calls of the main entry, ./slim and ./inline. `more`: what the runtime needs to open a store. `db`: an
 * open store.
 */
export function callsOfNidus({ Nidus }: Entry, db: Db, more: object, name = () => `keys-${made++}`): Calls {
  const own = { ...memory, ...more }
  return {
    'Nidus.open(options)': (o) => Nidus.open(name(), { ...own, ...o }),
    'Nidus.list(options)': (o) => Nidus.list({ ...more, ...o }),
    'Nidus.destroy(options)': (o) => Nidus.destroy(name(), { ...more, ...o }),
    'Nidus.persistence(options)': (o) => Nidus.persistence(o),
    'Nidus.salvage(options)': (o) => Nidus.salvage(name(), name(), { ...more, ...o }),
    'Nidus.import(options)': (o) => Nidus.import(name(), new Uint8Array(0), { ...own, ...o }),
    'Nidus.import(source)': (o) =>
      Nidus.import(name(), { data: new Uint8Array(0), log: new Uint8Array(0), ...o } as never, own),
    'Nidus.fromStatic(options)': (o) => Nidus.fromStatic('http://127.0.0.1:1/', o),
    'Nidus.fromStatic(source)': (o) => Nidus.fromStatic({ data: new Blob([]), log: new Blob([]), ...o } as never),
    'Nidus.upsert(batch: RecordInput)': (o) => db.upsert('docs', [{ id: 'b', vector: q, ...o }]),
    'Nidus.upsert(batch: ColumnarBatch)': (o) => db.upsert('docs', { ids: ['b'], vectors: Float32Array.from(q), ...o }),
    'Nidus.upsert(options)': (o) => db.upsert('docs', [{ id: 'b', vector: q }], o),
    'Nidus.update(changes)': (o) => db.update('docs', { id: 'a', attrs: {}, ...o }),
    'Nidus.update(options)': (o) => db.update('docs', { id: 'a', attrs: {} }, o),
    'Nidus.records(options)': (o) => db.records('docs', o).next(),
    'Nidus.count(options)': (o) => db.count('docs', {}, o),
    'Nidus.deleteWhere(options)': (o) => db.deleteWhere('docs', {}, o),
    'Nidus.search(options)': (o) => db.search(q, o),
    'Nidus.searchMany(options)': (o) => db.searchMany([q], o),
    'Nidus.search(query)': (o) => db.search({ vector: q, ...o }),
    'Nidus.(overload 2) search(query)': (o) => db.search({ vector: q, ...o }),
    'Nidus.(overload 2) search(options)': (o) => db.search({ vector: q }, o),
    'Nidus.similar(options)': (o) => db.similar('docs', 'a', o),
    'Nidus.(of a store) list(options)': (o) => db.list('docs', o),
    'Nidus.createCollection(options)': (o) => db.createCollection('docs', o),
    'Nidus.on(options)': (o) => db.on('change', () => {}, o),
    'Nidus.setText(options)': (o) => db.setText('docs', 'a', o),
  }
}

export function callsOfSegment(Segment: typeof import('nidus-wasm/segment').Segment): Calls {
  const no = () => 0
  const sink = { read: no, write: no, truncate() {}, flush() {}, getSize: no, close() {} }
  return {
    'Segment.open(options)': (o) => Segment.open(sink, { dimension: 3, ...o }),
    'Segment.search(options)': (o) => Segment.inMemory(3).search(Float32Array.from(q), o),
  }
}

type Sharded = typeof import('../../src/ts/types/sharded').ShardedNidus
/** Returns the calls of a sharded store. They must all be refused, so none may reach `namespace`. */
export function callsOfSharded(
  ShardedNidus: Sharded,
  namespace: { idFromName(name: string): unknown; get(id: unknown): unknown },
): Calls {
  const env = { router: namespace, shards: namespace }
  const db = () => new ShardedNidus(env, 'docs', { dimension: 3 })
  return {
    'new ShardedNidus(env)': (o) => new ShardedNidus({ ...env, ...o }, 'docs', { dimension: 3 }),
    'new ShardedNidus(options)': (o) => new ShardedNidus(env, 'docs', { dimension: 3, ...o }),
    'ShardedNidus.upsert(batch: RecordInput)': (o) => db().upsert('docs', [{ id: 'b', vector: q, ...o }]),
    'ShardedNidus.upsert(batch: ColumnarBatch)': (o) =>
      db().upsert('docs', { ids: ['b'], vectors: Float32Array.from(q), ...o }),
    'ShardedNidus.upsert(options)': (o) => db().upsert('docs', [{ id: 'b', vector: q }], o),
    'ShardedNidus.update(changes)': (o) => db().update('docs', { id: 'a', attrs: {}, ...o }),
    'ShardedNidus.update(options)': (o) => db().update('docs', { id: 'a', attrs: {} }, o),
    'ShardedNidus.search(query)': (o) => db().search({ vector: q, ...o }),
    'ShardedNidus.(overload 2) search(query)': (o) => db().search({ vector: q, ...o }),
    'ShardedNidus.(overload 2) search(options)': (o) => db().search({ text: 'x', vector: q }, o),
    'ShardedNidus.similar(options)': (o) => db().similar('docs', 'a', o),
    'ShardedNidus.list(options)': (o) => db().list('docs', o),
    'ShardedNidus.setText(options)': (o) => db().setText('docs', 'a', o),
    'ShardedNidus.getText(options)': (o) => db().getText('docs', o),
    'ShardedNidus.delete(options)': (o) => db().delete('docs', ['a'], o),
    'ShardedNidus.deleteWhere(options)': (o) => db().deleteWhere('docs', {}, o),
    'ShardedNidus.get(options)': (o) => db().get('docs', ['a'], o),
    'ShardedNidus.search(options)': (o) => db().search(q, o),
    'ShardedNidus.searchMany(options)': (o) => db().searchMany([q], o),
    'ShardedNidus.searchAvailable(options)': (o) => db().searchAvailable(q, o),
    'ShardedNidus.count(options)': (o) => db().count('docs', {}, o),
    'ShardedNidus.collections(options)': (o) => db().collections(o),
    'ShardedNidus.compact(options)': (o) => db().compact(o),
    'ShardedNidus.stats(options)': (o) => db().stats(o),
    'ShardedNidus.grow(options)': (o) => db().grow(5, o),
  }
}

export function callsOfLangChain(Store: typeof NidusVectorStore, db: Db): Calls {
  const embeddings = {
    embedQuery: async () => q,
    embedDocuments: async (texts: string[]) => texts.map(() => q),
  } as never
  const store = new Store(embeddings, { db: db as never })
  const document = { pageContent: 'x', metadata: {} }
  return {
    'new NidusVectorStore(args)': (o) => new Store(embeddings, { db, ...o } as never),
    'NidusVectorStore.fromTexts(args)': (o) => Store.fromTexts(['x'], {}, embeddings, { db, ...o } as never),
    'NidusVectorStore.fromDocuments(args)': (o) => Store.fromDocuments([document], embeddings, { db, ...o } as never),
    'NidusVectorStore.fromExistingIndex(args)': (o) => Store.fromExistingIndex(embeddings, { db, ...o } as never),
    'NidusVectorStore.addDocuments(options)': (o) => store.addDocuments([document], o),
    'NidusVectorStore.addVectors(options)': (o) => store.addVectors([q], [document], o),
    'NidusVectorStore.hybridSearch(options)': (o) => store.hybridSearch('x', o),
    'NidusVectorStore.hybridSearchWithScore(options)': (o) => store.hybridSearchWithScore('x', o),
    'NidusVectorStore.maxMarginalRelevanceSearch(options)': (o) =>
      store.maxMarginalRelevanceSearch('x', { k: 1, ...o }),
    'NidusVectorStore.delete(params)': (o) => store.delete({ ...('ids' in o ? {} : { ids: ['none'] }), ...o }),
    'NidusVectorStore.asRetriever(kOrFields)': (o) => store.asRetriever(o),
    'NidusVectorStore.asRetriever(fields)': (o) => store.asRetriever({ searchType: 'hybrid', ...o } as never),
  }
}

export async function callsOfTextIndex(Index: typeof TextIndex, newName: () => string): Promise<Calls> {
  const embedder = { model: 'm', dimension: 3, embed: (texts: string[]) => texts.map(() => q) }
  const store = { storage: 'memory' as const }
  const index = await Index.open(newName(), { store, embedder })
  await index.add({ id: 'a', text: 'x' })
  return {
    'TextIndex.open(options)': async (o) => (await Index.open(newName(), { store, ...o })).close(),
    'TextIndex.add(documents)': (o) => index.add({ ...('id' in o ? {} : { id: 'a' }), text: 'x', ...o } as never),
    'TextIndex.add(options)': (o) => index.add({ id: 'a', text: 'x' }, o),
    'TextIndex.search(options)': (o) => index.search('x', o),
    'TextIndex.list(options)': (o) => index.list(o),
    'TextIndex.embedAll(options)': (o) => index.embedAll(o),
    // Another storage has room for a second store. What is wrong is told before it is asked for.
    'TextIndex.reembed(options)': (o) =>
      index.reembed(embedder, o).catch((error: { code: string }) => {
        if (error.code !== 'UNSUPPORTED') throw error
      }),
  }
}

/** The address leads nowhere, so no model is loaded. */
export const callsOfTransformers = (make: typeof transformers): Calls => ({
  'transformers(options)': async (o) =>
    (await make('none', { dimension: 3, library: 'data:text/javascript,', ...o })).close(),
})

/** Returns the calls of live searches. `db` is a store whose words are found. */
export const callsOfLive = (live: { liveSearch: typeof liveSearch }, db: Db): Calls => ({
  'liveSearch(options)': async (o) => {
    const search = live.liveSearch(db, o)
    search.set('x')
    await new Promise<void>((resolve, reject) => {
      const stop = search.subscribe(({ status, error }) => {
        if (status === 'searching') return
        queueMicrotask(() => stop())
        if (error) reject(error)
        else resolve()
      })
    })
  },
})

const misspelt = (key: string) =>
  [key.toUpperCase(), `${key}s`, `${key.slice(0, -1)}_${key.at(-1)}`, `${key[0]}${key}`].filter(
    (wrong) => wrong !== key,
  )

async function refusal(call: () => unknown): Promise<{ code?: unknown; message?: string } | undefined> {
  return (async () => call())().then(
    () => undefined,
    (error: unknown) => error as object,
  )
}

/** Checks that every misspelt key is refused. Returns how many were tried. */
export async function walkKeys(taken: Taken[], calls: Calls): Promise<number> {
  let tried = 0
  for (const { place, keys } of taken) {
    for (const key of keys) {
      for (const wrong of misspelt(key).filter((wrong) => !keys.includes(wrong))) {
        tried++
        const error = await refusal(() => calls[place]!({ [wrong]: 1 }))
        expect(error?.code, `${place}: ${wrong}: ${error?.message}`).toBe('INVALID_ARGUMENT')
        const [, where] = new RegExp(`^(.+): unknown (?:option|key) \`${wrong}\``).exec(error!.message!) ?? []
        const [, method] = /(\w+)\(options/.exec(place) ?? []
        expect(where, `${place}: ${error!.message}`).toContain(method ?? '')
        // The error suggests the nearest known key, or another one that is equally near.
        const named = /did you mean `(\w+)`\?/.exec(error!.message!)?.[1]
        expect(keys, `${place}: ${wrong}: ${error!.message}`).toContain(named)
        if (wrong !== `${key[0]}${key}`) expect(named, `${place}: ${wrong}`).toBe(key)
      }
    }
  }
  return tried
}

const numbers = [NaN, Infinity, -Infinity, -1, 1.5, 2 ** 53, 1e300]
const VALUES: [Kind | 'never', unknown][] = [
  ['string', 'yes'],
  ['string', '3'],
  ['string', ''],
  ['number', 5],
  ...numbers.map((number): ['number', number] => ['number', number]),
  ['boolean', true],
  ['boolean', false],
  ['function', () => 1],
  ['array', []],
  ['array', ['x']],
  ['object', {}],
  ['never', null],
  ['never', 1n],
  ['never', Symbol('s')],
  ['object', new Map()],
  ['object', new Date()],
]
/** By key, which numbers are right. For all other keys only 5 is. */
const RIGHT: Record<string, (n: number, place: string) => boolean> = {
  minScore: (n) => !Number.isNaN(n),
  autoCompact: (n) => n >= 0 && n <= 1,
  dimension: (n) => n === 5,
  timeout: (n, place) => n === 5 || (n === 1.5 && !place.includes('fromStatic')),
  debounce: (n) => n === 5 || n === 1.5,
  refresh: (n) => n === 5 || n === 1.5,
  lambda: (n) => n >= 0 && n <= 1,
}
/** By key, which lists and objects are right, as JSON. For all other keys none is. */
const OBJECTS: Record<string, unknown[]> = {
  filter: ['{}'],
  attrs: ['{}', '[]'],
  headers: ['{}'],
  searchKwargs: ['{}'],
  collections: ['[]', '["x"]'],
  ids: ['[]', '["x"]'],
  fields: ['[]', '["x"]'],
  highlight: ['[]', '["x"]'],
  text: ['["x"]'],
  facets: ['{}'],
  orderBy: ['{}'],
  hybrid: ['{}'],
  chunks: ['{}'],
  store: ['{}'],
  prefixes: ['{}'],
}
const text = (value: unknown) =>
  value instanceof Map ? 'Map' : value instanceof Date ? 'Date' : typeof value === 'object' ? JSON.stringify(value) : ''
/** Keys that belong to LangChain. Its retriever checks them. */
const THEIRS = ['vectorStore', 'callbacks', 'tags', 'metadata', 'verbose']

function isRight(kind: Kind | 'never', value: unknown, key: string, takes: Kind[], place: string): boolean {
  if (kind === 'number') return takes.includes('number') && (RIGHT[key] ?? ((n) => n === 5))(value as number, place)
  if (value === false && takes.includes('false')) return true
  // Where a text is taken, any text may be right. `orderBy` takes the name of an attribute.
  if (kind === 'string') return takes.includes('string') || key === 'orderBy'
  if (key === 'attrs' && text(value) === '["x"]') return /search|similar|list/.test(place)
  if (kind === 'array' || kind === 'object') return OBJECTS[key]?.includes(text(value)) ?? false
  return kind !== 'never' && takes.includes(kind)
}

/** Checks that every value of a wrong type is refused. Returns how many were tried. */
export async function walkValues(taken: Taken[], calls: Calls): Promise<number> {
  let tried = 0
  for (const { place, options } of taken) {
    for (const { key, takes } of options.filter(({ key }) => !THEIRS.includes(key))) {
      for (const [kind, value] of VALUES) {
        if (isRight(kind, value, key, takes, place)) continue
        tried++
        const what = `${place}: ${key}: ${String(text(value) || String(value))}`
        const error = await refusal(() => calls[place]!({ [key]: value }))
        // A list of the wrong length may count as a vector of another dimension.
        expect(
          /^vectors?$/.test(key) ? ['INVALID_ARGUMENT', 'DIMENSION_MISMATCH'] : ['INVALID_ARGUMENT'],
          `${what}: ${error?.message}`,
        ).toContain(error?.code)
        expect(error!.message!.length, what).toBeLessThan(300)
      }
    }
  }
  return tried
}
