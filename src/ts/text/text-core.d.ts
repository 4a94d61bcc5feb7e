/**
 * The wasm of the indexes of words as the wrapper sees it: the classes that `src/text/bindings.rs` exports, declared by
 * hand. Wire forms are those of `src/ts/core/core.d.ts`.
 */

/** The index of one collection's texts. Documents have the numbers that the store gives them. */
export class TextIndex {
  /** `fields` are the names of the attributes, packed as ids are. */
  constructor(collection: string, count: number, fields: Uint8Array)
  /**
   * Takes what `Store.documents` returned for these documents, with the attributes of the fields or more. Documents
   * that do not exist, or are in another collection, are removed.
   */
  put(docs: Uint32Array, wire: Uint8Array): void
  /** Does some background work. Returns true if nothing is left to do. */
  step(): boolean
  /** The number of documents. */
  readonly documents: number
  /** The number of distinct words. */
  readonly terms: number
  /** The memory of the index, in bytes. */
  readonly bytes: number
  /** Begins to write the index, with all that was put into it. The numbers say of which log it is. */
  save(position: number, checksum: number): TextSaving
  free(): void
}

/** An index that is being written. Meanwhile it may be put to and searched, as long as that gives it nothing to do. */
export class TextSaving {
  /** The bytes of all pieces. */
  readonly length: number
  /** Returns the next piece, or undefined at the end. Throws ABORTED if the index has changed. */
  next(index: TextIndex): Uint8Array | undefined
  free(): void
}

/** An index that is being read. All of its functions throw if the bytes are no index. */
export class TextLoading {
  /** `length`: the bytes of all pieces. */
  constructor(length: number)
  feed(bytes: Uint8Array): void
  /** Has document `n` get the number `numbers[n]`. Those without one, or with 2^32 - 1, are removed. */
  renumber(numbers: Uint32Array): void
  /** Does some of the work, once all bytes are there. Returns true if nothing is left to do. */
  step(): boolean
  /** Ends the reading. The numbers must be those that `save` was given. */
  finish(collection: string, count: number, fields: Uint8Array, position: number, checksum: number): TextIndex
  free(): void
}

/** Documents with their scores, best first. */
export class Scored {
  readonly docs: Uint32Array
  readonly scores: Float64Array
  free(): void
}

/** The words of a question. */
export class Question {
  /** `fuzzy`: 0 off, 1 for words that no document has, 2 for all words. Throws INVALID_ARGUMENT for too many words. */
  constructor(text: string, matchAll: boolean, prefix: boolean, fuzzy: number, english: boolean)
  /** False if the text has no words. */
  readonly hasWords: boolean
  /**
   * Adds the statistics of an index. `weights` has a weight for each field of the index, 0 for fields that are not
   * searched. `names` are those of the fields: fields of several collections with one name share their statistics.
   */
  count(index: TextIndex, weights: Float64Array): void
  /**
   * Sets the number of all documents in the collections that are searched. Call it after `count` and before a search.
   */
  among(documents: number): void
  /**
   * The weight of a field, the number of its words, and in how many documents each part of the question is. Empty for a
   * field that is not searched. Those of the same question to other stores may be added, except for the weights.
   */
  numbers(field: string): Float64Array
  /** Sets the numbers of a field, in place of `count`. Throws INVALID_ARGUMENT if they are of another question. */
  setNumbers(field: string, numbers: Float64Array): void
  /** The highest score that any document could have. */
  readonly ceiling: number
  /**
   * The `most` best documents of an index and all that are as good as the last, of those in `among` (a bit for each).
   */
  best(index: TextIndex, weights: Float64Array, most: number, among: Uint16Array | undefined): Scored
  /** All documents of an index that match, in any order. */
  all(index: TextIndex, weights: Float64Array): Scored
  /** Returns start and end of each match in a text, in UTF-16 units, one behind the other. */
  places(text: string): Uint32Array
  /** Returns start and end of the best passage of a text, in UTF-16 units. */
  passage(text: string): Uint32Array
  free(): void
}

export function initSync(options: { module: WebAssembly.Module }): unknown
