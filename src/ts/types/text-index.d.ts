/// <reference path="./platform.d.ts" />
/**
 * `nidus-wasm/text`: an index of documents. Texts go in, and searches find passages of them, by words and by meaning.
 */
import type { Attrs, Filter } from './attrs.js'
import type { Nidus, OpenOptions } from './index.js'
import type { ListOptions } from './search.js'
import type { TextMatch, TextOptions } from './text.js'
import type { Vector } from './vector.js'

/** Says what a text is embedded for. Some models want another prefix for each. */
export interface EmbedOptions {
  /** `'query'` for a question, `'passage'` for a text to be found. */
  kind: 'query' | 'passage'
  /** Aborts the work. */
  signal?: AbortSignal
}

/** Turns texts into vectors. Any object of this shape is one. */
export interface Embedder {
  /** The name of the model. The index remembers it, because vectors of two models cannot be compared. */
  readonly model: string
  /** The number of numbers in a vector. */
  readonly dimension: number
  /**
   * Returns one vector for each text, in their order: as a list, or as one `Float32Array` with all numbers one after
   * the other.
   */
  embed(texts: string[], options: EmbedOptions): PromiseLike<Vector[] | Float32Array> | Vector[] | Float32Array
  /** Returns the length of each text in tokens of the model. Without it, passages are measured in characters. */
  countTokens?(texts: string[]): PromiseLike<number[]> | number[]
  /** The number of texts that are embedded at once. Default: 16. */
  readonly batchSize?: number
  /** Releases the model. `TextIndex.close` calls it. */
  close?(): PromiseLike<void> | void
}

/** What a text is written in. This decides where it may be cut, and which of it is text. */
export type TextFormat = 'text' | 'markdown' | 'html' | 'code'

/** A part of a document, as a chunker returns it. */
export interface Chunk {
  /** The text that is searched and embedded. */
  text: string
  /** Where the part is in the document: from `start` to before `end`, in UTF-16 units, as `slice` takes them. */
  start: number
  end: number
  /** The headings above it, the outermost one first. Default: none. */
  headings?: string[]
}

/** How documents are cut into passages. */
export interface ChunkOptions {
  /** The most tokens of a passage, from 16 to 8192. Default: 200. A token is about four letters. */
  size?: number
  /** How many tokens of a passage are repeated in the next one. At most half of `size`. Default: 30. */
  overlap?: number
}

/** A chunker of your own. Change `name` when you change the function: the index remembers it. */
export interface Chunker {
  name: string
  chunk(document: { id: string; text: string; format: TextFormat }): PromiseLike<Chunk[]> | Chunk[]
}

export interface TextIndexOptions {
  /**
   * Makes the vectors, or a promise of what does. Without an embedder the index finds words only, and it can get an
   * embedder later.
   */
  embedder?: Embedder | PromiseLike<Embedder>
  /** How documents are cut into passages. An index that has documents keeps its way of cutting. */
  chunks?: ChunkOptions | Chunker
  /** Goes on to embed what an earlier opening did not embed. Default: true. */
  resume?: boolean
  /** Options of the store beneath. `dimension` comes from the embedder, and `readOnly` is not supported. */
  store?: Omit<OpenOptions, 'dimension' | 'readOnly'>
}

/** A document to add. */
export interface DocumentInput<A = Attrs> {
  /** The document's name. A document of the same id is replaced. */
  id: string
  /** The text, at most 64 million UTF-16 units. */
  text: string
  /** The title. Its words count three times as much as words of the text. */
  title?: string
  /** What the text is written in. Default: `'text'`. */
  format?: TextFormat
  /**
   * Values to filter by and to get back. Each passage has them. The keys `text`, `title` and `headings`, and keys that
   * begin with `_`, are the index's own.
   */
  attrs?: A
}

/** How far `add`, `embedAll` or `reembed` is. */
export interface TextProgress {
  /** The number of documents whose words are found. */
  documents: number
  /** The number of documents that were as they were already. */
  unchanged: number
  /** The number of passages that are embedded, and the number of those that are known so far. */
  embedded: number
  passages: number
  /** Passages embedded in a second, since this call began to embed. 0 at first. */
  perSecond: number
  /** How long the rest takes at this rate. Undefined until it is known. */
  secondsLeft: number | undefined
}

export interface AddOptions {
  /** Called after each step. */
  onProgress?: (progress: TextProgress) => void
  /**
   * Aborts the call (`ABORTED`). What is stored stays: its words are found, and the next opening, `add` or `embedAll`
   * embeds the rest.
   */
  signal?: AbortSignal
}

/** What `add` did. */
export interface AddReport {
  /** The number of documents that are new or have changed. */
  added: number
  /** The number of documents that were as they were already. Nothing of them was written. */
  unchanged: number
  /** The number of passages of the added documents. */
  passages: number
  /**
   * The number of passages that had to be embedded. With those of unchanged documents that an earlier call had stored
   * and not embedded, there may be more than `passages`.
   */
  embedded: number
}

export interface TextSearchOptions<A = Attrs> extends Pick<
  TextOptions,
  'fusion' | 'match' | 'prefix' | 'fuzzy' | 'forms'
> {
  /** The number of documents to return at most. Default: 10. */
  topK?: number
  /** The number of documents to skip. Default: 0. */
  offset?: number
  /** The least score of a document. Default: no limit. */
  minScore?: number
  /** Searches only documents whose attributes match this filter. Default: all. */
  filter?: Filter<A> | undefined
  /**
   * `'hybrid'` finds words and meaning together, `'words'` words alone, `'meaning'` meaning alone. Default: `'hybrid'`,
   * or `'words'` without an embedder.
   */
  by?: 'hybrid' | 'words' | 'meaning'
  /** The number of passages of a document that are returned at most. Default: 1. */
  passages?: number
  /**
   * Called with the answer of words alone, if it is there before the question is embedded. For a search box that
   * answers while the model is still loading.
   */
  onWords?: (hits: TextHits<A>) => void
  /** Aborts the search (`ABORTED`). */
  signal?: AbortSignal
}

/** A part of a document that a search found. */
export interface Passage {
  text: string
  /** Where the passage is in the document's text, in UTF-16 units. */
  start: number
  end: number
  /** The headings above it, the outermost one first. */
  headings: string[]
  /** The number of the passage in its document, from 0. */
  number: number
}

export interface FoundPassage extends Passage {
  score: number
  /** Where the words of the question are in `text`. */
  matches: TextMatch[]
}

/** A document that a search found. */
export interface DocumentHit<A = Attrs> {
  id: string
  title: string | undefined
  attrs: A
  /** The score of its best passage. */
  score: number
  /** Its best passage. */
  passage: FoundPassage
  /** Its best passages, the best one first. There is more than one only if the search asked for more. */
  passages: FoundPassage[]
  /** Where the words of the question are in the title. */
  titleMatches: TextMatch[]
}

/** The documents of an answer, best first, and what the answer rests on. */
export type TextHits<A = Attrs> = DocumentHit<A>[] & {
  /** What was searched by. A hybrid search is one by words if nothing is embedded, or the embedder failed. */
  by: 'hybrid' | 'words' | 'meaning'
  /** The share of all passages that is embedded, from 0 to 1. The rest is found by its words alone. */
  embedded: number
  /** Why a hybrid search was one by words: the error of the embedder. */
  embedderError?: Error
  /**
   * The milliseconds that the searches of the store took, without the model and without the way to a worker or tab and
   * back. It is not enumerable: a copy of the array does not have it.
   */
  readonly took: number
}

/** A document as the index holds it. */
export interface StoredDocument<A = Attrs> {
  id: string
  title: string | undefined
  attrs: A
  passages: Passage[]
}

export interface DocumentListOptions<A = Attrs> extends Pick<
  ListOptions<A>,
  'filter' | 'orderBy' | 'offset' | 'limit' | 'signal'
> {}

/** A document in a list. */
export interface ListedDocument<A = Attrs> {
  id: string
  title: string | undefined
  attrs: A
  /** The number of its passages. */
  passages: number
}

export interface TextIndexState {
  /** The model of the vectors, or undefined if the index has none. */
  model: string | undefined
  documents: number
  passages: number
  /** The number of passages that are embedded. */
  embedded: number
  /** True while passages are being embedded. */
  embedding: boolean
  paused: boolean
}

/**
 * An index of documents: texts go in, passages come out. Words are found as soon as `add` has stored a document, and
 * meaning as soon as it is embedded.
 *
 * ```js
 * const notes = await TextIndex.open('notes', { embedder: transformers('Xenova/all-MiniLM-L6-v2') })
 * await notes.add({ id: 'n1', title: 'Moving house', text: 'The landlord said that the roof leaks.' })
 * const [hit] = await notes.search('what did he say about the roof')
 * console.log(hit.id, hit.passage.text)
 * await notes.close()
 * ```
 *
 * Every method rejects with a `NidusError`. An embedder that fails, or returns something other than one vector of
 * finite numbers for each text, is `EMBEDDER_FAILED`.
 */
export class TextIndex<A = Attrs> {
  private constructor()
  /**
   * Opens an index. Makes it if there is none.
   *
   * Rejects with:
   * - `EMBEDDER_MISMATCH` if the index was made with another model or dimension. Open it with the old embedder and call
   *   `reembed`.
   * - `INVALID_ARGUMENT` if the store of this name is not an index, or if documents are cut in another way
   * - the codes of `Nidus.open`
   *
   * ```js
   * const notes = await TextIndex.open('notes', { embedder })
   * ```
   */
  static open<A = Attrs>(name: string, options?: TextIndexOptions): Promise<TextIndex<A>>
  /** The store beneath: an ordinary one, with the collection `passages`. Do not write to that collection. */
  readonly db: Nidus
  /**
   * Adds documents, or replaces those of the same id. Resolves once all of them are embedded. A document is replaced in
   * one step: a search finds the old one or the new one. A document that has not changed costs next to nothing, and in
   * one that has changed only the new passages are embedded.
   *
   * If the embedder cannot count tokens, for example because a model cannot be fetched, the documents are cut by
   * letters and stored, and then the call rejects with `EMBEDDER_FAILED`.
   *
   * `documents` can be an iterable of any length. It is read as the work goes on, so memory stays bounded.
   *
   * ```js
   * await notes.add(files, { onProgress: ({ embedded, passages }) => console.log(embedded, passages) })
   * ```
   */
  add(
    documents: DocumentInput<A> | Iterable<DocumentInput<A>> | AsyncIterable<DocumentInput<A>>,
    options?: AddOptions,
  ): Promise<AddReport>
  /**
   * Removes documents. Returns how many there were.
   *
   * ```js
   * await notes.remove('n1')
   * ```
   */
  remove(ids: string | string[]): Promise<number>
  /**
   * Finds the documents with the best passages for a question, best first.
   *
   * ```js
   * const hits = await notes.search('the roof', { topK: 5, filter: { tag: 'home' } })
   * for (const { id, score, passage } of hits) console.log(id, score, passage.text)
   * ```
   */
  search(question: string, options?: TextSearchOptions<A>): Promise<TextHits<A>>
  /**
   * Returns a document, or undefined if there is none of this id.
   *
   * ```js
   * const { title, passages } = await notes.get('n1')
   * ```
   */
  get(id: string): Promise<StoredDocument<A> | undefined>
  /**
   * Returns the documents as a list: all of them, or those that match a filter. They are ordered by attributes, or else
   * by their ids. Their texts are not among them: `get` has those.
   *
   * ```js
   * const newest = await notes.list({ filter: { tag: 'home' }, orderBy: { at: 'desc' }, limit: 20 })
   * ```
   */
  list(options?: DocumentListOptions<A>): Promise<ListedDocument<A>[]>
  /**
   * Embeds the passages that are not embedded yet. `open` does this by itself, unless `resume` is false.
   *
   * ```js
   * await notes.embedAll({ onProgress })
   * ```
   */
  embedAll(options?: AddOptions): Promise<void>
  /**
   * Changes the model. The new vectors are made while the old ones answer, and take their place in one step. If it is
   * interrupted, another call with the same model goes on where it ended. The new embedder then belongs to the index,
   * and the old one is closed.
   *
   * Rejects with `LOCKED` if another tab or process has the index open when all vectors are made. They are kept: call
   * it again.
   *
   * ```js
   * await notes.reembed(transformers('Xenova/multilingual-e5-small'), { onProgress })
   * ```
   */
  reembed(embedder: Embedder | PromiseLike<Embedder>, options?: AddOptions): Promise<void>
  /** Pauses embedding, in this opening, until `resume` is called. Words are still found, and documents still added. */
  pause(): void
  /** Continues embedding. */
  resume(): void
  /**
   * Returns how much the index holds, and how much of it is embedded.
   *
   * ```js
   * const { documents, passages, embedded } = await notes.state()
   * ```
   */
  state(): Promise<TextIndexState>
  /**
   * Ends embedding, closes the store and the embedder. Documents that were given to `add` before, alone or as a list,
   * are stored first. It waits for a chunker or an embedder at most five seconds. Further calls of `close` do nothing.
   */
  close(): Promise<void>
  /** Closes the index, as `close` does. */
  [Symbol.asyncDispose](): Promise<void>
}
