// Tests the adapter as LangChain.js uses it, with LangChain's real base class and retriever.
import { join } from 'node:path'
import { Document } from '@langchain/core/documents'
import { Embeddings } from '@langchain/core/embeddings'
import { Nidus } from 'nidus-wasm'
import { NidusVectorStore } from 'nidus-wasm/langchain'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'

const D = 32

/** Embeds a text as the sum of a vector for each of its words. So texts with common words are near. */
class WordEmbeddings extends Embeddings {
  async embedQuery(text: string): Promise<number[]> {
    const vector = new Array<number>(D).fill(0.01)
    for (const word of text.split(' ')) {
      let state = [...word].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) | 0, 7)
      for (let i = 0; i < D; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0
        vector[i]! += state / 2 ** 31
      }
    }
    return vector
  }
  embedDocuments(texts: string[]): Promise<number[][]> {
    return Promise.all(texts.map((text) => this.embedQuery(text)))
  }
}
const embeddings = new WordEmbeddings({})
const folder = temporaryFolder('langchain')
let db: Nidus
let n = 0

beforeEach(async () => {
  db = await Nidus.open(join(folder, `${n++}`), { dimension: D })
})
afterEach(() => db.close())

const cosine = (a: number[], b: number[]) => {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

const texts = Array.from({ length: 60 }, (_, i) => `note ${i} about ${['the sea', 'hills', 'rain', 'a town'][i % 4]}`)
const documents = texts.map(
  (pageContent, i) => new Document({ pageContent, metadata: { number: i, kind: i % 2 ? 'odd' : 'even' } }),
)

describe('the LangChain adapter', () => {
  it('finds what a scan finds, with its scores', async () => {
    const store = await NidusVectorStore.fromDocuments(documents, embeddings, { db })
    const all = await embeddings.embedDocuments(texts)
    for (const query of ['sea', 'note 7 about a town', '']) {
      const vector = await embeddings.embedQuery(query)
      const scores = all.map((other) => cosine(vector, other))
      const expected = [...texts.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, 7)
      const found = await store.similaritySearchWithScore(query, 7)
      expect(found.map(([{ metadata }]) => metadata.number)).toEqual(expected)
      found.forEach(([document, score], i) => {
        expect(score).toBeCloseTo(scores[expected[i]!]!, 5)
        expect(document.pageContent).toBe(texts[expected[i]!])
      })
      const odd = await store.similaritySearch(query, 7, { kind: 'odd', number: { $gte: 10 } })
      expect(odd.map(({ metadata }) => metadata.number)).toEqual(
        [...texts.keys()]
          .sort((a, b) => scores[b]! - scores[a]!)
          .filter((i) => i % 2 && i >= 10)
          .slice(0, 7),
      )
    }
  })

  it('keeps ids, and metadata of any kind', async () => {
    const store = new NidusVectorStore(embeddings, { db, collection: 'mine', textKey: 'body' })
    const metadata = {
      source: 'a.md',
      loc: { lines: { from: 1, to: 9 } },
      tags: ['x', 'y'],
      mixed: ['x', 1],
      none: null,
      when: new Date(5),
      body: 'taken',
      ['$metadata']: 1,
      flag: true,
      ratio: 0.5,
      missing: undefined,
    }
    const [id] = await store.addDocuments([{ pageContent: 'hello', metadata, id: 'own' }])
    expect(id).toBe('own')
    const [found] = await store.similaritySearch('hello', 1)
    const { missing: _, ...kept } = metadata
    expect(found).toEqual(new Document({ id: 'own', pageContent: 'hello', metadata: kept }))
    expect(await db.collections()).toEqual(['mine'])
    expect(await store.addDocuments([{ pageContent: 'again', metadata: {} }], { ids: ['own'] })).toEqual(['own'])
    expect((await store.similaritySearch('hello', 5)).map(({ pageContent }) => pageContent)).toEqual(['again'])
    const ids = await store.addDocuments([
      { pageContent: 'one', metadata: {} },
      { pageContent: 'two', metadata: {} },
    ])
    expect(new Set(ids).size).toBe(2)
    await store.delete({ ids: [ids[0]!] })
    expect(await db.count('mine')).toBe(2)
    await expect(store.delete({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await store.delete({ filter: {} })
    expect(await db.count('mine')).toBe(0)
    expect(await store.addDocuments([])).toEqual([])
    await expect(store.addVectors([[1]], [{ pageContent: '', metadata: {} }])).rejects.toMatchObject({
      code: 'DIMENSION_MISMATCH',
    })
    await expect(store.addVectors([], [{ pageContent: '', metadata: {} }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect(store.addDocuments([{ pageContent: '', metadata: {} }], { ids: [] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  it('has its records when the store is opened again, and works with both kinds of retrievers', async () => {
    const first = await NidusVectorStore.fromTexts(
      texts,
      texts.map((_, number) => ({ number })),
      embeddings,
      { db },
    )
    const query = 'note 12 about the sea'
    const expected = await first.similaritySearch(query, 4)
    await db.close()
    db = await Nidus.open(db.name)
    const store = await NidusVectorStore.fromExistingIndex(embeddings, { db })
    expect(await store.asRetriever(4).invoke(query)).toEqual(expected)
    const diverse = await store
      .asRetriever({ k: 4, searchType: 'mmr', searchKwargs: { fetchK: 20, lambda: 0.1 } })
      .invoke(query)
    expect(diverse).toHaveLength(4)
    expect(diverse[0]).toEqual(expected[0])
    expect(diverse).not.toEqual(expected)
    // With a lambda of 1, only nearness counts.
    expect(await store.maxMarginalRelevanceSearch(query, { k: 4, fetchK: 20, lambda: 1 })).toEqual(expected)
    await db.close()
    await expect(store.similaritySearch(query, 1)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('gives back all metadata exactly', async () => {
    const store = new NidusVectorStore(embeddings, { db })
    const hidden = JSON.parse('{"__proto__":{"a":1},"nested":{"__proto__":[2]}}') as Record<string, unknown>
    const metadata = {
      nan: NaN,
      infinite: -Infinity,
      zero: -0,
      zeros: [-0, NaN],
      small: 5n,
      large: 2n ** 62n,
      larger: 2n ** 70n,
      bad: new Date(NaN),
      deep: { when: new Date(7), list: [new Date(8), 3n, { x: null }], empty: {} },
      tagged: { $date: 'not one' },
      twice: { $object: { $int: 'x' } },
      cut: 'half \ud83d',
      ['key \ud83d']: 1,
      list: ['a', '\udc00'],
      ...hidden,
    }
    Object.defineProperty(metadata, '__proto__', {
      value: hidden['__proto__'],
      enumerable: true,
      configurable: true,
      writable: true,
    })
    await store.addDocuments([{ pageContent: 'all', metadata }])
    const [found] = await store.similaritySearch('all', 1)
    expect(Object.entries(found!.metadata).sort()).toEqual(Object.entries(metadata).sort())
    expect(Object.is(found!.metadata.zero, -0)).toBe(true)
    expect(found!.metadata.small).toBe(5n)
    expect(Object.getPrototypeOf(found!.metadata)).toBe(Object.prototype)
    expect((await store.similaritySearch('all', 1, { small: 5 })).length).toBe(1)
  })

  it('keeps a chunk that cuts a character in half, with U+FFFD in its place', async () => {
    const store = new NidusVectorStore(embeddings, { db })
    await store.addDocuments([
      { pageContent: 'at the sea \ud83c', metadata: {} },
      { pageContent: '\udf0a whole \ud83c\udf0a', metadata: {} },
    ])
    const found = await store.similaritySearch('sea', 2)
    expect(found.map(({ pageContent }) => pageContent).sort()).toEqual(
      ['at the sea \ufffd', '\ufffd whole \ud83c\udf0a'].sort(),
    )
  })

  it('names document and key of metadata that it cannot keep, and explains other mistakes', async () => {
    const store = new NidusVectorStore(embeddings, { db })
    const self: Record<string, unknown> = {}
    self.self = self
    const add = (metadata: unknown, more: object = {}) =>
      store.addDocuments([
        { pageContent: 'a', metadata: {} },
        { pageContent: 'b', metadata, id: 'b', ...more } as never,
      ])
    const wrong: [Promise<unknown>, string][] = [
      [add({ a: { b: [0, new Map()] } }), 'document 1 ("b"): metadata a.b[1] is a Map'],
      [add({ f: () => 1 }), 'metadata f is a function'],
      [add({ u: new URL('http://localhost/') }), 'metadata u is a URL'],
      [add({ l: [undefined] }), 'metadata l[0] is undefined'],
      [add({ self }), 'is nested more than 100 deep'],
      [add('text'), 'document 1 ("b"): metadata must be an object'],
      [add({}, { pageContent: undefined }), 'document 1: pageContent must be a string'],
      [store.addDocuments(undefined as never), 'documents must be an array'],
      [store.addDocuments([], { id: [] } as never), 'did you mean `ids`'],
      [store.delete(['id'] as never), 'delete takes an object (ids, filter), not an array'],
      [store.delete({ id: 'x' } as never), 'unknown key `id`: did you mean `ids`'],
      [store.delete({ ids: 'x' } as never), 'ids must be an array'],
      [store.maxMarginalRelevanceSearch('a', { k: 1, where: {} } as never), 'did you mean `filter`'],
    ]
    for (const [work, message] of wrong)
      await expect(work).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) })
    expect(() => new NidusVectorStore(embeddings, { database: db } as never)).toThrow('unknown key `database`')
    expect(() => new NidusVectorStore(embeddings, {} as never)).toThrow('db must be an open Nidus')
    expect(await db.count()).toBe(0)
    await expect(
      store.similaritySearchVectorWithScore(await embeddings.embedQuery('a'), 1, 0 as never),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
