import type { DocumentInterface } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { VectorStore, type MaxMarginalRelevanceSearchOptions } from '@langchain/core/vectorstores'
import type { Filter, Nidus } from './index.js'

export interface NidusVectorStoreArgs {
  /** An open store. Its dimension must be that of the embeddings. The adapter never closes it: close it yourself. */
  db: Nidus
  /** The collection that holds the documents. Default: `'documents'`. */
  collection?: string
  /** The attribute that holds a document's text. Default: `'text'`. */
  textKey?: string
}

/**
 * A vector store for LangChain.js that keeps its documents in nidus-wasm. Install `@langchain/core` yourself.
 *
 * ```js
 * const db = await Nidus.open('notes', { dimension: 384 })
 * const store = new NidusVectorStore(embeddings, { db })
 * await store.addDocuments([{ pageContent: 'At the sea', metadata: { year: 2021 } }])
 * const found = await store.similaritySearch('water', 5, { year: { $gte: 2020 } })
 * ```
 *
 * Metadata is stored as attributes, under the same keys, where attributes can hold it: strings, numbers, booleans,
 * dates, null and lists of strings. Filters see these. Plain objects, other lists, NaN, invalid dates and bigints
 * beyond 64 bits are stored, too, and come back unchanged, but filters do not see them. A Map, a function or an
 * instance of a class is refused with `INVALID_ARGUMENT`; the message names the document and the key. A lone surrogate
 * in a text (for example where a chunk ends in the middle of a character) becomes U+FFFD.
 *
 * Scores are cosine similarities. Errors are those of the store: `DIMENSION_MISMATCH`, `CLOSED` and so on.
 */
export class NidusVectorStore extends VectorStore {
  FilterType: Filter
  /** The store that holds the documents. */
  readonly db: Nidus
  /** The collection that holds the documents. */
  readonly collection: string
  /** The attribute that holds a document's text. */
  readonly textKey: string
  constructor(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs)
  /** Returns `'nidus'`. */
  _vectorstoreType(): string
  /**
   * Embeds documents and stores them. Returns their ids: the ids given here, else the documents' own ids, else new
   * ones. A document of the same id is replaced.
   */
  addDocuments(documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]>
  /**
   * Stores documents with vectors that exist already, one for each document. Returns the ids as `addDocuments` does.
   */
  addVectors(vectors: number[][], documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]>
  /** Finds the `k` documents that are most similar to a query's vector. Returns each with its cosine similarity. */
  similaritySearchVectorWithScore(query: number[], k: number, filter?: Filter): Promise<[DocumentInterface, number][]>
  /** Finds documents that are similar to a query and differ from each other (maximal marginal relevance). */
  maxMarginalRelevanceSearch(
    query: string,
    options: MaxMarginalRelevanceSearchOptions<Filter>,
  ): Promise<DocumentInterface[]>
  /** Deletes the documents with these ids, and those that match a filter. `{ filter: {} }` deletes all documents. */
  delete(params: { ids?: string[]; filter?: Filter }): Promise<void>
  /** Makes the adapter and stores texts with their metadata: one object for each text, or one object for all texts. */
  static fromTexts(
    texts: string[],
    metadatas: object[] | object,
    embeddings: EmbeddingsInterface,
    args: NidusVectorStoreArgs,
  ): Promise<NidusVectorStore>
  /** Makes the adapter and stores documents. */
  static fromDocuments(
    documents: DocumentInterface[],
    embeddings: EmbeddingsInterface,
    args: NidusVectorStoreArgs,
  ): Promise<NidusVectorStore>
  /** Makes the adapter over documents that the store holds already. */
  static fromExistingIndex(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore>
}
