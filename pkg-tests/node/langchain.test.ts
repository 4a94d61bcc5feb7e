// The adapter as LangChain.js uses it; its own base class and retriever are the real ones.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Document } from '@langchain/core/documents'
import { Embeddings } from '@langchain/core/embeddings'
import { Nidus } from 'nidus-wasm'
import { NidusVectorStore } from 'nidus-wasm/langchain'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const D = 32

/** A number for each word and place, so that texts with the same words are near and no two of them are equally so. */
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
const folder = mkdtempSync(join(tmpdir(), 'nidus-langchain-'))
let db: Nidus
let n = 0

beforeEach(async () => {
  db = await Nidus.open(join(folder, `${n++}`), { dimension: D })
})
afterEach(async () => {
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

const cosine = (a: number[], b: number[]) => {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

const texts = Array.from({ length: 60 }, (_, i) => `note ${i} about ${['the sea', 'hills', 'rain', 'a town'][i % 4]}`)
const documents = texts.map((pageContent, i) => new Document({ pageContent, metadata: { number: i, kind: i % 2 ? 'odd' : 'even' } }))

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
      expect(odd.map(({ metadata }) => metadata.number)).toEqual([...texts.keys()].sort((a, b) => scores[b]! - scores[a]!).filter((i) => i % 2 && i >= 10).slice(0, 7))
    }
  })

  it('keeps metadata of any kind, and ids', async () => {
    const store = new NidusVectorStore(embeddings, { db, collection: 'mine', textKey: 'body' })
    const metadata = { source: 'a.md', loc: { lines: { from: 1, to: 9 } }, tags: ['x', 'y'], mixed: ['x', 1], none: null, when: new Date(5), body: 'taken', ['$metadata']: 1, flag: true, ratio: 0.5, missing: undefined }
    const [id] = await store.addDocuments([{ pageContent: 'hello', metadata, id: 'own' }])
    expect(id).toBe('own')
    const [found] = await store.similaritySearch('hello', 1)
    const { missing: _, ...kept } = metadata
    expect(found).toEqual(new Document({ id: 'own', pageContent: 'hello', metadata: kept }))
    expect(await db.collections()).toEqual(['mine'])
    expect(await store.addDocuments([{ pageContent: 'again', metadata: {} }], { ids: ['own'] })).toEqual(['own'])
    expect((await store.similaritySearch('hello', 5)).map(({ pageContent }) => pageContent)).toEqual(['again'])
    const ids = await store.addDocuments([{ pageContent: 'one', metadata: {} }, { pageContent: 'two', metadata: {} }])
    expect(new Set(ids).size).toBe(2)
    await store.delete({ ids: [ids[0]!] })
    expect(await db.count('mine')).toBe(2)
    await expect(store.delete({})).rejects.toThrow(TypeError)
    await store.delete({ filter: {} })
    expect(await db.count('mine')).toBe(0)
    expect(await store.addDocuments([])).toEqual([])
    await expect(store.addVectors([[1]], [{ pageContent: '', metadata: {} }])).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH' })
    await expect(store.addVectors([], [{ pageContent: '', metadata: {} }])).rejects.toThrow(RangeError)
    await expect(store.addDocuments([{ pageContent: '', metadata: {} }], { ids: [] })).rejects.toThrow(RangeError)
  })

  it('is there again when the store is opened again, and serves retrievers of both kinds', async () => {
    const first = await NidusVectorStore.fromTexts(texts, texts.map((_, number) => ({ number })), embeddings, { db })
    const query = 'note 12 about the sea'
    const expected = await first.similaritySearch(query, 4)
    await db.close()
    db = await Nidus.open(db.name)
    const store = await NidusVectorStore.fromExistingIndex(embeddings, { db })
    expect(await store.asRetriever(4).invoke(query)).toEqual(expected)
    const diverse = await store.asRetriever({ k: 4, searchType: 'mmr', searchKwargs: { fetchK: 20, lambda: 0.1 } }).invoke(query)
    expect(diverse).toHaveLength(4)
    expect(diverse[0]).toEqual(expected[0])
    expect(diverse).not.toEqual(expected)
    // Lambda of 1 asks for nothing but nearness.
    expect(await store.maxMarginalRelevanceSearch(query, { k: 4, fetchK: 20, lambda: 1 })).toEqual(expected)
    await db.close()
    await expect(store.similaritySearch(query, 1)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
