// Tests the adapter for LangChain when it searches by words and vectors together. Compares it with a naive model.
import { join } from 'node:path'
import { Document, type DocumentInterface } from '@langchain/core/documents'
import { Embeddings } from '@langchain/core/embeddings'
import { VectorStoreRetriever } from '@langchain/core/vectorstores'
import { Nidus, type Filter } from 'nidus-wasm'
import { NidusVectorStore, type HybridOptions } from 'nidus-wasm/langchain'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { TextModel, sameAnswer, type ModelOptions } from '../common/text-model'

const D = 8
const WORDS = 'river stone cloud amber field glass north cedar ember frost'.split(' ')

/** Embeds each text as a vector that has nothing to do with its words. So a search for words has another order. */
class Hashed extends Embeddings {
  async embedQuery(text: string): Promise<number[]> {
    return Array.from(random([...text].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 99_991).vector(D))
  }
  embedDocuments(texts: string[]): Promise<number[][]> {
    return Promise.all(texts.map((text) => this.embedQuery(text)))
  }
}
const embeddings = new Hashed({})
const folder = temporaryFolder('langchain-hybrid')
let db: Nidus
let n = 0
beforeEach(async () => {
  db = await Nidus.open(join(folder, `${n++}`), { dimension: D })
})
afterEach(() => db.close())

const r = random(5)
const sentence = (most: number) => Array.from({ length: 1 + r.int(most) }, () => r.pick(WORDS)).join(' ')
const documents = Array.from(
  { length: 80 },
  (_, i) =>
    new Document({
      id: `d${i}`,
      pageContent: sentence(9),
      metadata: { kind: r.pick(['a', 'b', 'c']), title: sentence(2), nested: { i } },
    }),
)

async function modelOf(text: { [field: string]: number }) {
  const model = new TextModel()
  const collection = model.collection('documents')
  collection.text = text
  for (const { id, pageContent, metadata } of documents)
    collection.docs.set(id!, {
      vector: Float32Array.from(await embeddings.embedQuery(pageContent)),
      attrs: { kind: metadata.kind as string, title: metadata.title as string, text: pageContent },
    })
  return model
}
const hitsOf = (found: [DocumentInterface, number][]) =>
  found.map(([{ id }, score]) => ({ collection: 'documents', id: id!, score }))
const ids = (found: DocumentInterface[]) => found.map(({ id }) => id)
const FILTERS: [Filter | undefined, ModelOptions['keep']][] = [
  [undefined, undefined],
  [{ kind: 'a' }, ({ kind }) => kind === 'a'],
]

describe('the LangChain adapter with words', () => {
  it('finds with every way of asking what a naive model finds, with its scores', async () => {
    const fusion = { text: 0.6 }
    const store = await NidusVectorStore.fromDocuments(documents, embeddings, { db, hybrid: { fusion } })
    expect(await db.getText('documents')).toEqual({ text: { weight: 1 } })
    const model = await modelOf({ text: 1 })
    for (let round = 0; round < 12; round++) {
      const text = sentence(3)
      const vector = Float32Array.from(await embeddings.embedQuery(text))
      const [filter, keep] = r.pick(FILTERS)
      const k = r.pick([1, 5, 100])
      const expected = (options: ModelOptions) =>
        model
          .search({ text, vector }, { ...options, ...(keep && { keep }) })
          .map(({ vectorScore: _v, textScore: _t, ...hit }) => hit)
      const same = (found: [DocumentInterface, number][], options: ModelOptions) =>
        sameAnswer(hitsOf(found), expected(options), k)
      same(await store.similaritySearchWithScore(text, k, filter), { fusion })
      const usual = await store.similaritySearch(text, k, filter)
      const ranking = expected({ fusion }).slice(0, k)
      expect(ids(usual)).toEqual(ids((await store.similaritySearchWithScore(text, k, filter)).map(([one]) => one)))
      for (const { id, pageContent, metadata } of usual) {
        const { pageContent: content, metadata: own } = documents[Number(id!.slice(1))]!
        expect([pageContent, metadata]).toEqual([content, own])
      }
      expect(ids(await store.asRetriever({ k, ...(filter && { filter }) }).invoke(text))).toEqual(ids(usual))
      expect(usual).toHaveLength(ranking.length)
      same(await store.hybridSearchWithScore(text, { k, filter: filter!, fusion: 'rrf' }), { fusion: 'rrf' })
      same(await store.hybridSearchWithScore(text, { k, filter: filter!, fusion: undefined! }), { fusion })
      const retriever = store.asRetriever({
        ...{ k, searchType: 'hybrid', searchKwargs: { fusion: { text: 0.1 }, match: 'all' } },
        ...(filter && { filter }),
      } as const)
      const wanted = await store.hybridSearch(text, { k, filter: filter!, fusion: { text: 0.1 }, match: 'all' })
      expect(ids(await retriever.invoke(text))).toEqual(ids(wanted))
      // The retriever has a store of its own, and this one is unchanged.
      expect(store.hybrid).toEqual({ fusion })
      const nearest = model.search({ vector }, keep && { keep }).map(({ vectorScore: _, ...hit }) => hit)
      sameAnswer(hitsOf(await store.similaritySearchVectorWithScore(Array.from(vector), k, filter)), nearest, k)
    }
  })

  it('is what it was without the option, except where a call asks for words', async () => {
    const plain = await NidusVectorStore.fromDocuments(documents, embeddings, { db })
    expect([plain.hybrid, await db.getText('documents')]).toEqual([undefined, undefined])
    const text = 'river cedar'
    const before = await plain.similaritySearchWithScore(text, 80)
    await expect(plain.hybridSearch(text)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('setText'),
    })
    const hybrid = await NidusVectorStore.fromExistingIndex(embeddings, { db, hybrid: true })
    expect(await db.getText('documents')).toEqual({ text: { weight: 1 } })
    expect(await plain.similaritySearchWithScore(text, 80)).toEqual(before)
    const found = await hybrid.similaritySearchWithScore(text)
    expect(found).toHaveLength(4)
    expect(await plain.hybridSearchWithScore(text)).toEqual(found)
    const vector = Float32Array.from(await embeddings.embedQuery(text))
    const ranking = (await modelOf({ text: 1 })).search({ text, vector })
    sameAnswer(
      hitsOf(found),
      ranking.map(({ vectorScore: _v, textScore: _t, ...hit }) => hit),
      4,
    )
    expect(ids(await plain.asRetriever({ searchType: 'hybrid' }).invoke(text))).toEqual(ids(found.map(([one]) => one)))
    expect(plain.asRetriever({ searchType: 'hybrid', tags: ['mine'] })).toBeInstanceOf(VectorStoreRetriever)
    expect(plain.asRetriever({ searchType: 'hybrid', tags: ['mine'] }).tags).toEqual(['mine', 'nidus'])
  })

  it('chooses the candidates of maximal marginal relevance by words, too', async () => {
    const store = await NidusVectorStore.fromDocuments(documents, embeddings, { db, hybrid: { fusion: { text: 1 } } })
    const candidates = new Set(ids(await store.similaritySearch('glass', 6)))
    const chosen = ids(
      await store.asRetriever({ k: 3, searchType: 'mmr', searchKwargs: { fetchK: 6 } }).invoke('glass'),
    )
    expect(chosen).toHaveLength(3)
    for (const id of chosen) expect(candidates).toContain(id)
    for (const { pageContent } of await store.similaritySearch('glass', 3)) expect(pageContent).toContain('glass')
  })

  it('finds words in metadata if the settings name them, and refuses settings without the page contents', async () => {
    await db.setText('documents', { text: {}, title: { weight: 3 } })
    const options: HybridOptions = { fusion: { text: 0.5 } }
    const store = await NidusVectorStore.fromDocuments(documents, embeddings, { db, hybrid: options })
    expect(await db.getText('documents')).toEqual({ text: { weight: 1 }, title: { weight: 3 } })
    const vector = Float32Array.from(await embeddings.embedQuery('frost'))
    const ranking = (await modelOf({ text: 1, title: 3 })).search({ text: 'frost', vector }, { fusion: { text: 0.5 } })
    sameAnswer(
      hitsOf(await store.similaritySearchWithScore('frost', 20)),
      ranking.map(({ vectorScore: _v, textScore: _t, ...hit }) => hit),
      20,
    )
    await db.setText('others', 'title')
    const other = new NidusVectorStore(embeddings, { db, collection: 'others', hybrid: true })
    await expect(other.addDocuments(documents)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('name "title", and not "text", which holds the page contents'),
    })
    expect(await db.count('others')).toBe(0)
  })

  it('has no documents before the first, and works on a store that is opened again to be read', async () => {
    const empty = new NidusVectorStore(embeddings, { db, hybrid: true })
    expect(await empty.similaritySearch('river')).toEqual([])
    expect(await empty.hybridSearch('river')).toEqual([])
    await empty.addDocuments(documents)
    const found = await empty.similaritySearchWithScore('river', 9)
    await db.close()
    db = await Nidus.open(db.name, { readOnly: true })
    const store = await NidusVectorStore.fromExistingIndex(embeddings, { db, hybrid: true })
    expect(await store.similaritySearchWithScore('river', 9)).toEqual(found)
    // A text without words is searched by its vector alone.
    const [[, score]] = (await store.similaritySearchWithScore('?!', 1)) as [[DocumentInterface, number]]
    expect(score).toBeCloseTo(
      (await store.similaritySearchVectorWithScore(await embeddings.embedQuery('?!'), 1))[0]![1],
    )
  })

  it('takes a prompt of any length: its vector stands for all of it, and its first words are searched', async () => {
    const store = new NidusVectorStore(embeddings, { db, collection: 'documents', hybrid: true })
    await store.addDocuments(documents)
    const others = Array.from({ length: 4000 }, (_, i) => `other${i}`).join(' ')
    const asked = `river ${others}`
    const [best] = await store.similaritySearchWithScore(asked, 3)
    const vector = await embeddings.embedQuery(asked)
    const [same] = await db.search({ text: `river ${others.slice(0, 1000)}`, vector }, { collections: 'documents' })
    expect([best![0].id, best![0].pageContent.includes('river')]).toEqual([same!.id, true])
  })

  it('explains mistakes', async () => {
    const make = (hybrid: unknown) => () => new NidusVectorStore(embeddings, { db, hybrid } as never)
    expect(make({ fusing: 'rrf' })).toThrow('hybrid: unknown key `fusing`: did you mean `fusion`?')
    expect(make('rrf')).toThrow('hybrid takes an object (fusion, match, prefix, fuzzy, forms, fields), not "rrf"')
    const store = await NidusVectorStore.fromDocuments(documents, embeddings, { db, hybrid: true })
    const kwargs = { searchType: 'hybrid', searchKwargs: { lambda: 1 } } as never
    expect(() => store.asRetriever(kwargs)).toThrow('searchKwargs of asRetriever: unknown key `lambda`')
    expect(() => store.asRetriever({ searchType: 'hybird' } as never)).toThrow('"similarity", "mmr" or "hybrid"')
    for (const [options, message] of [
      [{ where: {} }, 'did you mean `filter`'],
      [{ k: -1 }, 'k must be'],
      [{ fusion: { text: 2 } }, 'fusion.text must be a number from 0 to 1'],
      [{ fields: ['absent'] }, 'absent'],
    ] as const)
      await expect(store.hybridSearch('river', options as never)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(message),
      })
  })
})
