import type { DocumentInterface } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import type { Callbacks } from '@langchain/core/callbacks/manager'
import type { BaseRetrieverInput } from '@langchain/core/retrievers'
import {
  VectorStore,
  type MaxMarginalRelevanceSearchOptions,
  type VectorStoreRetriever,
  type VectorStoreRetrieverInput,
} from '@langchain/core/vectorstores'
import type { Filter, Nidus, TextOptions } from './index.js'

/** The options for searching words and for combining them with the vector. See `TextOptions` for each. */
export type HybridOptions = Pick<TextOptions, 'fusion' | 'match' | 'prefix' | 'fuzzy' | 'forms' | 'fields'>

export interface HybridSearchOptions extends HybridOptions {
  /** The number of documents to find. Default: 4. */
  k?: number
  filter?: Filter
}

/** The fields of a retriever that searches by words and meaning together. */
export interface HybridRetrieverInput extends BaseRetrieverInput {
  searchType: 'hybrid'
  searchKwargs?: HybridOptions
  k?: number
  filter?: Filter
}

export interface NidusVectorStoreArgs {
  /** An open store. Its dimension must be that of the embeddings. The adapter never closes it: close it yourself. */
  db: Nidus
  /** The collection that holds the documents. Default: `'documents'`. */
  collection?: string
  /** The attribute that holds a document's text. Default: `'text'`. */
  textKey?: string
  /**
   * Searches by words and meaning together. This holds for `similaritySearch`, `similaritySearchWithScore`, the
   * candidates of `maxMarginalRelevanceSearch`, and all retrievers. `true` means the default options.
   *
   * Words are found in the page contents. If the collection has no text settings yet, `addDocuments`, `addVectors`
   * and `fromExistingIndex` set them: `db.setText(collection, textKey)`. To find words in metadata, too, call `setText`
   * yourself before: `db.setText('documents', { text: {}, title: { weight: 3 } })`. Default: false.
   */
  hybrid?: boolean | HybridOptions
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
 * With `hybrid` the store searches by words and meaning together. Then scores are those of `db.search` with a text and
 * a vector.
 *
 * ```js
 * const store = await NidusVectorStore.fromDocuments(documents, embeddings, { db, hybrid: true })
 * await store.similaritySearch('EACCES permission', 5)
 * const retriever = store.asRetriever({ searchType: 'hybrid', searchKwargs: { fusion: { text: 0.7 } } })
 * ```
 *
 * Scores are cosine similarities otherwise. Errors are those of the store: `DIMENSION_MISMATCH`, `CLOSED` and so on.
 */
export class NidusVectorStore extends VectorStore {
  FilterType: Filter
  /** The store that holds the documents. */
  readonly db: Nidus
  /** The collection that holds the documents. */
  readonly collection: string
  /** The attribute that holds a document's text. */
  readonly textKey: string
  /** The options of hybrid searches, or undefined if the store searches by vectors alone. */
  readonly hybrid: HybridOptions | undefined
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
  /**
   * Finds the `k` documents that are most similar to a query's vector. Returns each with its cosine similarity. There
   * are no words to look for, so `hybrid` makes no difference.
   */
  similaritySearchVectorWithScore(query: number[], k: number, filter?: Filter): Promise<[DocumentInterface, number][]>
  /** Finds the `k` documents that are most similar to a query, with `hybrid` also by its words. */
  similaritySearch(query: string, k?: number, filter?: Filter, callbacks?: Callbacks): Promise<DocumentInterface[]>
  /** Does what `similaritySearch` does, and returns each document with its score. */
  similaritySearchWithScore(
    query: string,
    k?: number,
    filter?: Filter,
    callbacks?: Callbacks,
  ): Promise<[DocumentInterface, number][]>
  /**
   * Searches by words and meaning together, also without `hybrid` in the constructor. The collection needs settings of
   * texts (`db.setText`). Options that are not given are those of `hybrid` in the constructor.
   */
  hybridSearch(query: string, options?: HybridSearchOptions): Promise<DocumentInterface[]>
  /** Does what `hybridSearch` does, and returns each document with its score. */
  hybridSearchWithScore(query: string, options?: HybridSearchOptions): Promise<[DocumentInterface, number][]>
  /**
   * Makes a retriever. `searchType` is `'similarity'`, `'mmr'` or `'hybrid'`. With `'hybrid'` the retriever searches by
   * words and meaning together, and `searchKwargs` are its options. Without a `searchType` the retriever does the same
   * as `similaritySearch`.
   */
  asRetriever(
    kOrFields?: number | Partial<VectorStoreRetrieverInput<this>>,
    filter?: Filter,
    callbacks?: Callbacks,
    tags?: string[],
    metadata?: Record<string, unknown>,
    verbose?: boolean,
  ): VectorStoreRetriever<this>
  asRetriever(fields: HybridRetrieverInput): VectorStoreRetriever<this>
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
  /**
   * Makes the adapter over documents that the store holds already. With `hybrid` it sets the collection's settings of
   * texts if there are none.
   */
  static fromExistingIndex(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore>
}
