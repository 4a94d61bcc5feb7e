import { Document, type DocumentInterface } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { maximalMarginalRelevance } from '@langchain/core/utils/math'
import { VectorStore, type MaxMarginalRelevanceSearchOptions } from '@langchain/core/vectorstores'
import type { Attrs, AttrValue, Filter, Hit } from '../types/index.js'
import type { NidusVectorStoreArgs } from '../types/langchain.js'

/** Under which lies what attributes cannot hold, as JSON. */
const REST = '$metadata'

const isAttr = (value: unknown): value is AttrValue =>
  value === null ||
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) ||
  (value instanceof Date && !Number.isNaN(value.getTime())) ||
  (Array.isArray(value) && value.every((item) => typeof item === 'string'))

export class NidusVectorStore extends VectorStore {
  declare FilterType: Filter
  readonly db: NidusVectorStoreArgs['db']
  readonly collection: string
  readonly textKey: string

  constructor(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs) {
    super(embeddings, args)
    this.db = args.db
    this.collection = args.collection ?? 'documents'
    this.textKey = args.textKey ?? 'text'
  }

  override _vectorstoreType(): string {
    return 'nidus'
  }

  override async addDocuments(documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]> {
    return this.addVectors(await this.embeddings.embedDocuments(documents.map(({ pageContent }) => pageContent)), documents, options)
  }

  override async addVectors(vectors: number[][], documents: DocumentInterface[], options?: { ids?: string[] }): Promise<string[]> {
    if (vectors.length !== documents.length) throw new RangeError(`${vectors.length} vectors are not one for each of ${documents.length} documents`)
    const given = options?.ids
    if (given && given.length !== documents.length) throw new RangeError(`${given.length} ids are not one for each of ${documents.length} documents`)
    const ids = documents.map(({ id }, i) => given?.[i] ?? id ?? crypto.randomUUID())
    if (ids.length > 0) await this.db.upsert(this.collection, documents.map((document, i) => ({ id: ids[i]!, vector: vectors[i]!, attrs: this.#attrs(document) })))
    return ids
  }

  override async similaritySearchVectorWithScore(query: number[], k: number, filter?: Filter): Promise<[DocumentInterface, number][]> {
    const hits = await this.db.search(query, { collections: this.collection, topK: k, ...(filter && { filter }) })
    return hits.map((hit) => [this.#document(hit), hit.score])
  }

  override async maxMarginalRelevanceSearch(text: string, { k, fetchK = 20, lambda, filter }: MaxMarginalRelevanceSearchOptions<Filter>): Promise<DocumentInterface[]> {
    const query = await this.embeddings.embedQuery(text)
    const hits = await this.db.search(query, { collections: this.collection, topK: Math.max(k, fetchK), withVectors: true, ...(filter && { filter }) })
    const chosen = maximalMarginalRelevance(query, hits.map(({ vector }) => Array.from(vector!)), lambda, k)
    return chosen.map((i) => this.#document(hits[i]!))
  }

  override async delete({ ids, filter }: { ids?: string[]; filter?: Filter } = {}): Promise<void> {
    if (ids) await this.db.delete(this.collection, ids)
    if (filter) await this.db.deleteWhere(this.collection, filter)
    if (!ids && !filter) throw new TypeError('`ids` or a `filter` says what to delete; `{ filter: {} }` is everything')
  }

  static override async fromTexts(texts: string[], metadatas: object[] | object, embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore> {
    const metadata = (i: number) => (Array.isArray(metadatas) ? metadatas[i] : metadatas)
    return this.fromDocuments(texts.map((pageContent, i) => new Document({ pageContent, metadata: metadata(i) })), embeddings, args)
  }

  static override async fromDocuments(documents: DocumentInterface[], embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore> {
    const store = new this(embeddings, args)
    await store.addDocuments(documents)
    return store
  }

  static async fromExistingIndex(embeddings: EmbeddingsInterface, args: NidusVectorStoreArgs): Promise<NidusVectorStore> {
    return new this(embeddings, args)
  }

  /** What can be an attribute is one, so that filters see it. */
  #attrs({ pageContent, metadata }: DocumentInterface): Attrs {
    const [attrs, rest]: [Attrs, Record<string, unknown>] = [{}, {}]
    for (const [key, value] of Object.entries(metadata ?? {})) {
      if (value === undefined) continue
      if (key !== this.textKey && key !== REST && isAttr(value)) attrs[key] = value
      else rest[key] = value
    }
    return { ...attrs, [this.textKey]: pageContent, ...(Object.keys(rest).length > 0 && { [REST]: JSON.stringify(rest) }) }
  }

  #document({ id, attrs }: Hit): DocumentInterface {
    const { [this.textKey]: text, [REST]: rest, ...metadata } = attrs
    return new Document({ id, pageContent: typeof text === 'string' ? text : '', metadata: { ...metadata, ...(typeof rest === 'string' && JSON.parse(rest)) } })
  }
}
