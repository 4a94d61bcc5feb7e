import { Document, type DocumentInterface } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { maximalMarginalRelevance } from '@langchain/core/utils/math'
import {
  VectorStore,
  type MaxMarginalRelevanceSearchOptions,
  type VectorStoreRetriever,
  type VectorStoreRetrieverInput,
  type VectorStoreRetrieverMMRSearchKwargs,
} from '@langchain/core/vectorstores'
import { invalid } from '../errors/errors.js'
import { checkCount } from '../arguments/input.js'
import { checkKeys, type KeysOf, type Known } from '../arguments/keys.js'
import { encodeFilter } from '../arguments/filter.js'
import { searchFirstWords } from '../arguments/long-question.js'
import type { Filter, Hit } from '../types/index.js'
import type {
  HybridOptions,
  HybridRetrieverInput,
  HybridSearchOptions,
  NidusVectorStoreArgs,
} from '../types/langchain.js'
import { checkString, describe, isPlainObject } from '../core/wire.js'
import { REST, attrsOf, metadataOf } from './metadata.js'

const ARGS = { db: 1, collection: 1, textKey: 1, hybrid: 1 } satisfies KeysOf<NidusVectorStoreArgs>
const HYBRID = { fusion: 1, match: 1, prefix: 1, fuzzy: 1, forms: 1, fields: 1 } satisfies KeysOf<HybridOptions>
const HYBRID_SEARCH = { ...HYBRID, k: 1, filter: 1 } satisfies KeysOf<HybridSearchOptions>
const MMR = { k: 1, fetchK: 1, lambda: 1, filter: 1 } satisfies KeysOf<MaxMarginalRelevanceSearchOptions<Filter>>
const MMR_KWARGS = { fetchK: 1, lambda: 1 } satisfies KeysOf<VectorStoreRetrieverMMRSearchKwargs>
const RETRIEVER = {
  k: 1,
  filter: 1,
  searchType: 1,
  searchKwargs: 1,
  vectorStore: 1,
  callbacks: 1,
  tags: 1,
  metadata: 1,
  verbose: 1,
} satisfies KeysOf<VectorStoreRetrieverInput<NidusVectorStore>>

/** Keys that are undefined count as absent: LangChain itself passes such keys. */
function object<T extends object>(value: T | undefined, known: Known, what: string): Partial<T> {
  if (value === undefined) return {}
  if (!isPlainObject(value))
    throw invalid(`${what} takes an object (${Object.keys(known).join(', ')}), not ${describe(value)}`)
  checkKeys(value, known, what)
  return value
}

function list(value: unknown, what: string): asserts value is unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} must be an array, not ${describe(value)}`)
}

function checkEmbeddings(embeddings: EmbeddingsInterface) {
  if (typeof embeddings?.embedQuery !== 'function' || typeof embeddings.embedDocuments !== 'function')
    throw invalid(`NidusVectorStore: embeddings must have embedQuery and embedDocuments, not ${describe(embeddings)}`)
}

// These are functions and not private methods, because a proxy around the adapter (Vue's, MobX's) has no private
// methods.
function check(documents: DocumentInterface[], options: { ids?: string[] } | undefined, method: string) {
  list(documents, 'documents')
  documents.forEach((document, i) => {
    if (typeof document?.pageContent !== 'string')
      throw invalid(`document ${i}: pageContent must be a string, not ${describe(document?.pageContent)}`)
  })
  const { ids } = object(options, { ids: 1 }, method)
  if (ids === undefined) return
  list(ids, 'ids')
  ids.forEach((id, i) => checkString(id, () => `ids[${i}]`))
  if (ids.length !== documents.length) throw invalid(`there are ${ids.length} ids for ${documents.length} documents`)
}

function attributes({ pageContent, metadata }: DocumentInterface, i: number, id: string, textKey: string) {
  return attrsOf(pageContent, metadata, textKey, () => `document ${i} (${describe(id)})`)
}

function documentOf({ id, attrs }: Hit, textKey: string): DocumentInterface {
  const { text, metadata } = metadataOf(attrs, textKey)
  return new Document({ id, pageContent: text, metadata })
}

const scored = (hits: Hit[], textKey: string): [DocumentInterface, number][] =>
  hits.map((hit) => [documentOf(hit, textKey), hit.score])

function hybridOf(hybrid: unknown): HybridOptions | undefined {
  if (hybrid === undefined || hybrid === false) return undefined
  return hybrid === true ? {} : { ...object(hybrid as HybridOptions, HYBRID, 'hybrid') }
}

/** Returns the options of a store, changed by those of a call. */
const merged = (own: HybridOptions | undefined, given: HybridOptions): HybridOptions => ({
  ...own,
  ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
})

interface Sought {
  text: string
  k: number
  filter: Filter | undefined
  hybrid: HybridOptions | undefined
  withVectors?: boolean
}

/**
 * Searches for a text by its vector, and also by its words if `hybrid` is given. Returns the hits and the text's
 * vector.
 */
async function find(store: NidusVectorStore, { text, k, filter, hybrid, withVectors = false }: Sought) {
  const { db, collection, embeddings } = store
  const options = {
    collections: collection,
    topK: checkCount(k, 'k'),
    withVectors,
    ...(filter !== undefined && { filter }),
  }
  const vector = await embeddings.embedQuery(text)
  // A collection that does not exist yet has no text settings and no documents. The empty text then finds nothing, and
  // the options are still checked.
  const words = async () => ((await db.hasCollection(collection)) ? text : '')
  const hits: Hit[] = await (hybrid
    ? searchFirstWords(await words(), (text) => db.search({ text, vector }, { ...hybrid, ...options }))
    : db.search(vector, options))
  return { hits, vector }
}

/** Sets that words are found in the page contents, unless the collection has text settings already. */
async function prepare({ db, collection, textKey, hybrid }: NidusVectorStore) {
  if (!hybrid) return
  const settings = await db.getText(collection)
  if (settings === undefined) await db.setText(collection, textKey)
  else if (!Object.hasOwn(settings, textKey))
    throw invalid(
      `hybrid: the text settings of ${describe(collection)} name ` +
        `${Object.keys(settings).map(describe).join(', ')}, and not ` +
        `${describe(textKey)}, which holds the page contents: add it with db.setText`,
    )
}

export class NidusVectorStore extends VectorStore {
  declare FilterType: Filter
  readonly db: NidusVectorStoreArgs['db']
  readonly collection: string
  readonly textKey: string
  readonly hybrid: HybridOptions | undefined

  constructor(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs) {
    super(embeddings, args)
    checkEmbeddings(embeddings)
    const { db, collection, textKey, hybrid } = object(args, ARGS, 'the arguments of NidusVectorStore')
    if (typeof db?.upsert !== 'function')
      throw invalid(`the arguments of NidusVectorStore: db must be an open Nidus, not ${describe(db)}`)
    this.db = db
    if (collection !== undefined) checkString(collection, () => 'the arguments of NidusVectorStore: collection')
    if (textKey !== undefined) checkString(textKey, () => 'the arguments of NidusVectorStore: textKey')
    if (textKey === REST)
      throw invalid(
        `the arguments of NidusVectorStore: textKey cannot be ${describe(REST)}, which holds the metadata that ` +
          'cannot be attributes',
      )
    this.collection = collection ?? 'documents'
    this.textKey = textKey ?? 'text'
    this.hybrid = hybridOf(hybrid)
  }

  override _vectorstoreType(): string {
    return 'nidus'
  }

  override async addDocuments(documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]> {
    check(documents, options, 'addDocuments')
    return this.addVectors(
      await this.embeddings.embedDocuments(documents.map(({ pageContent }) => pageContent)),
      documents,
      options,
    )
  }

  override async addVectors(
    vectors: number[][],
    documents: DocumentInterface[],
    options?: { ids?: string[] },
  ): Promise<string[]> {
    check(documents, options, 'addVectors')
    list(vectors, 'vectors')
    if (vectors.length !== documents.length)
      throw invalid(`there are ${vectors.length} vectors for ${documents.length} documents`)
    const given = options?.ids
    const ids = documents.map(({ id }, i) => given?.[i] ?? id ?? crypto.randomUUID())
    if (ids.length > 0) {
      await prepare(this)
      await this.db.upsert(
        this.collection,
        documents.map((document, i) => ({
          id: ids[i],
          vector: vectors[i],
          attrs: attributes(document, i, ids[i], this.textKey),
        })),
      )
    }
    return ids
  }

  override async similaritySearchVectorWithScore(
    query: number[],
    k: number,
    filter?: Filter,
  ): Promise<[DocumentInterface, number][]> {
    const hits = await this.db.search(query, {
      collections: this.collection,
      topK: checkCount(k, 'k'),
      ...(filter !== undefined && { filter }),
    })
    return scored(hits, this.textKey)
  }

  override async similaritySearch(query: string, k?: number, filter?: Filter): Promise<DocumentInterface[]> {
    return (await this.similaritySearchWithScore(query, k, filter)).map(([document]) => document)
  }

  override async similaritySearchWithScore(
    query: string,
    k = 4,
    filter?: Filter,
  ): Promise<[DocumentInterface, number][]> {
    const { hits } = await find(this, { text: query, k, filter, hybrid: this.hybrid })
    return scored(hits, this.textKey)
  }

  async hybridSearch(query: string, options?: HybridSearchOptions): Promise<DocumentInterface[]> {
    return (await this.#hybrid(query, options, 'hybridSearch')).map(([document]) => document)
  }

  async hybridSearchWithScore(query: string, options?: HybridSearchOptions): Promise<[DocumentInterface, number][]> {
    return this.#hybrid(query, options, 'hybridSearchWithScore')
  }

  async #hybrid(query: string, options: HybridSearchOptions | undefined, place: string) {
    const { k = 4, filter, ...hybrid } = object(options, HYBRID_SEARCH, place)
    const { hits } = await find(this, { text: query, k, filter, hybrid: merged(this.hybrid, hybrid) })
    return scored(hits, this.textKey)
  }

  override async maxMarginalRelevanceSearch(
    text: string,
    options: MaxMarginalRelevanceSearchOptions<Filter>,
  ): Promise<DocumentInterface[]> {
    object(options, MMR, 'maxMarginalRelevanceSearch')
    const { k, fetchK = 20, lambda, filter } = options
    checkCount(k, 'maxMarginalRelevanceSearch: k')
    checkCount(fetchK, 'maxMarginalRelevanceSearch: fetchK')
    if (lambda !== undefined && !(typeof lambda === 'number' && lambda >= 0 && lambda <= 1))
      throw invalid(`maxMarginalRelevanceSearch: lambda must be a number from 0 to 1, not ${describe(lambda)}`)
    const most = Math.max(k, fetchK)
    const { hits, vector } = await find(this, { text, k: most, filter, hybrid: this.hybrid, withVectors: true })
    const chosen = maximalMarginalRelevance(
      vector,
      hits.map(({ vector }) => Array.from(vector!)),
      lambda,
      k,
    )
    return chosen.map((i) => documentOf(hits[i], this.textKey))
  }

  override asRetriever(
    kOrFields?: number | Partial<VectorStoreRetrieverInput<this>>,
    ...more: never[]
  ): VectorStoreRetriever<this>
  override asRetriever(fields: HybridRetrieverInput): VectorStoreRetriever<this>
  override asRetriever(
    kOrFields?: number | Partial<VectorStoreRetrieverInput<this>> | HybridRetrieverInput,
    ...more: never[]
  ): VectorStoreRetriever<this> {
    if (typeof kOrFields === 'number') {
      checkCount(kOrFields, 'asRetriever: k')
      return super.asRetriever(kOrFields, ...more)
    }
    const { searchKwargs, ...fields } = object(
      kOrFields as Partial<VectorStoreRetrieverInput<NidusVectorStore>> & { searchKwargs?: object },
      RETRIEVER,
      'asRetriever',
    )
    const { k, filter } = fields
    const searchType: string | undefined = fields.searchType
    if (k !== undefined) checkCount(k, 'asRetriever: k')
    if (searchType !== undefined && !['similarity', 'mmr', 'hybrid'].includes(searchType))
      throw invalid(`asRetriever: searchType is ${describe(searchType)}; it can be "similarity", "mmr" or "hybrid"`)
    if (filter !== undefined) encodeFilter(filter)
    const hybrid = searchType === 'hybrid'
    const kwargs = object(searchKwargs, hybrid ? HYBRID : MMR_KWARGS, 'searchKwargs of asRetriever')
    if (!hybrid) return super.asRetriever(kOrFields as Partial<VectorStoreRetrieverInput<this>>, ...more)
    // LangChain's retriever knows two types of search. The third is a store of the same documents that is hybrid.
    const store = Object.assign(Object.create(Object.getPrototypeOf(this)) as this, this, {
      hybrid: merged(this.hybrid, kwargs as HybridOptions),
    })
    return VectorStore.prototype.asRetriever.call(
      store,
      { ...fields, searchType: 'similarity' },
      ...more,
    ) as VectorStoreRetriever<this>
  }

  override async delete(params: { ids?: string[]; filter?: Filter } = {}): Promise<void> {
    const { ids, filter } = object(params, { ids: 1, filter: 1 }, 'delete')
    if (ids === undefined && filter === undefined)
      throw invalid('delete needs `ids` or a `filter`; `{ filter: {} }` deletes everything')
    if (ids !== undefined) list(ids, 'ids')
    // The filter is checked before anything is deleted.
    if (filter !== undefined) encodeFilter(filter)
    if (ids) await this.db.delete(this.collection, ids)
    if (filter !== undefined) await this.db.deleteWhere(this.collection, filter)
  }

  static override async fromTexts(
    texts: string[],
    metadatas: object[] | object,
    embeddings: EmbeddingsInterface,
    args: NidusVectorStoreArgs,
  ): Promise<NidusVectorStore> {
    list(texts, 'texts')
    texts.forEach((text, i) => {
      if (typeof text !== 'string') throw invalid(`texts[${i}] must be a string, not ${describe(text)}`)
    })
    if (metadatas !== undefined && (typeof metadatas !== 'object' || metadatas === null))
      throw invalid(`metadatas must be an object, or an array of one for each text, not ${describe(metadatas)}`)
    if (Array.isArray(metadatas) && metadatas.length > 0 && metadatas.length !== texts.length)
      throw invalid(`there are ${metadatas.length} metadatas for ${texts.length} texts`)
    const metadata = (i: number) => (Array.isArray(metadatas) ? metadatas[i] : metadatas)
    return this.fromDocuments(
      texts.map((pageContent, i) => new Document({ pageContent, metadata: metadata(i) })),
      embeddings,
      args,
    )
  }

  static override async fromDocuments(
    documents: DocumentInterface[],
    embeddings: EmbeddingsInterface,
    args: NidusVectorStoreArgs,
  ): Promise<NidusVectorStore> {
    const store = new this(embeddings, args)
    await store.addDocuments(documents)
    return store
  }

  static async fromExistingIndex(
    embeddings: EmbeddingsInterface,
    args: NidusVectorStoreArgs,
  ): Promise<NidusVectorStore> {
    const store = new this(embeddings, args)
    await prepare(store)
    return store
  }
}
