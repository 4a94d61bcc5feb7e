import type { DocumentInterface } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { VectorStore, type MaxMarginalRelevanceSearchOptions } from '@langchain/core/vectorstores'
import type { Filter, Nidus } from './index.js'

export interface NidusVectorStoreArgs {
  /** An open store, of the embeddings' dimension. It stays yours: close it when you are done. */
  db: Nidus
  /** The collection with the documents. Default `'documents'`. */
  collection?: string
  /** The attribute with a document's text. Default `'text'`. */
  textKey?: string
}

/**
 * LangChain.js's vector store over nidus-wasm (`@langchain/core` is yours to install):
 *
 * ```js
 * const db = await Nidus.open('notes', { dimension: 384 })
 * const store = new NidusVectorStore(embeddings, { db })
 * await store.addDocuments([{ pageContent: 'At the sea', metadata: { year: 2021 } }])
 * const found = await store.similaritySearch('water', 5, { year: { $gte: 2020 } })
 * ```
 *
 * Metadata that attributes can hold (strings, numbers, booleans, dates, null, lists of strings) are attributes, under their own keys, and can be filtered by; the rest (plain objects, other lists, NaN,
 * invalid dates, larger bigints) comes back the same too, but filters do not see it. A Map, a function or an instance of a class is `INVALID_ARGUMENT`, naming document and key. A lone surrogate in a text
 * (a chunk that ends in the middle of a character) becomes U+FFFD. Scores are cosine similarities. Errors are the store's: `DIMENSION_MISMATCH`, `CLOSED` and so on.
 */
export class NidusVectorStore extends VectorStore {
  FilterType: Filter
  readonly db: Nidus
  readonly collection: string
  readonly textKey: string
  constructor(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs)
  _vectorstoreType(): string
  /** Returns the ids: those given, else the documents' own, else new ones. An id that is there is replaced. */
  addDocuments(documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]>
  addVectors(vectors: number[][], documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]>
  similaritySearchVectorWithScore(query: number[], k: number, filter?: Filter): Promise<[DocumentInterface, number][]>
  maxMarginalRelevanceSearch(query: string, options: MaxMarginalRelevanceSearchOptions<Filter>): Promise<DocumentInterface[]>
  /** By ids, by a filter, or both; `{ filter: {} }` deletes all documents. */
  delete(params: { ids?: string[]; filter?: Filter }): Promise<void>
  static fromTexts(texts: string[], metadatas: object[] | object, embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore>
  static fromDocuments(documents: DocumentInterface[], embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore>
  static fromExistingIndex(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore>
}
