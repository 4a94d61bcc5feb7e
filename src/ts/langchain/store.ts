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
import type { Filter, Hit } from '../types/index.js'
import type { NidusVectorStoreArgs } from '../types/langchain.js'
import { checkString, describe, isPlainObject } from '../core/wire.js'
import { REST, attrsOf, metadataOf } from './metadata.js'

const ARGS = { db: 1, collection: 1, textKey: 1 } satisfies KeysOf<NidusVectorStoreArgs>
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

export class NidusVectorStore extends VectorStore {
  declare FilterType: Filter
  readonly db: NidusVectorStoreArgs['db']
  readonly collection: string
  readonly textKey: string

  constructor(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs) {
    super(embeddings, args)
    checkEmbeddings(embeddings)
    const { db, collection, textKey } = object(args, ARGS, 'the arguments of NidusVectorStore')
    if (typeof db?.upsert !== 'function')
      throw invalid(`the arguments of NidusVectorStore: db must be an open Nidus, not ${describe(db)}`)
    this.db = db
    if (collection !== undefined) checkString(collection, () => 'the arguments of NidusVectorStore: collection')
    if (textKey !== undefined) checkString(textKey, () => 'the arguments of NidusVectorStore: textKey')
    if (textKey === REST)
      throw invalid(
        `the arguments of NidusVectorStore: textKey cannot be ${describe(REST)}, which holds the metadata that cannot be attributes`,
      )
    this.collection = collection ?? 'documents'
    this.textKey = textKey ?? 'text'
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
    if (ids.length > 0)
      await this.db.upsert(
        this.collection,
        documents.map((document, i) => ({
          id: ids[i],
          vector: vectors[i],
          attrs: attributes(document, i, ids[i], this.textKey),
        })),
      )
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
    return hits.map((hit) => [documentOf(hit, this.textKey), hit.score])
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
    const query = await this.embeddings.embedQuery(text)
    const hits = await this.db.search(query, {
      collections: this.collection,
      topK: Math.max(k, fetchK),
      withVectors: true,
      ...(filter !== undefined && { filter }),
    })
    const chosen = maximalMarginalRelevance(
      query,
      hits.map(({ vector }) => Array.from(vector!)),
      lambda,
      k,
    )
    return chosen.map((i) => documentOf(hits[i], this.textKey))
  }

  override asRetriever(
    kOrFields?: number | Partial<VectorStoreRetrieverInput<this>>,
    ...more: never[]
  ): VectorStoreRetriever<this> {
    if (typeof kOrFields === 'number') checkCount(kOrFields, 'asRetriever: k')
    else {
      const { k, filter, searchType, searchKwargs } = object(
        kOrFields as Partial<VectorStoreRetrieverInput<NidusVectorStore>> & { searchKwargs?: object },
        RETRIEVER,
        'asRetriever',
      )
      if (k !== undefined) checkCount(k, 'asRetriever: k')
      if (searchType !== undefined && !['similarity', 'mmr'].includes(searchType))
        throw invalid(`asRetriever: searchType is ${describe(searchType)}; it can be "similarity" or "mmr"`)
      if (filter !== undefined) encodeFilter(filter)
      object(searchKwargs, MMR_KWARGS, 'searchKwargs of asRetriever')
    }
    return super.asRetriever(kOrFields, ...more)
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
    return new this(embeddings, args)
  }
}
