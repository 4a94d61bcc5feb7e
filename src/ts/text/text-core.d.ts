/**
 * The wasm of the indexes of words as the wrapper sees it: the classes that `src/text/bindings.rs` exports, declared by
 * hand. Wire forms are those of `src/ts/core/core.d.ts`.
 */

/** The index of one collection's texts. Documents have the numbers that the store gives them. */
export class TextIndex {
  /** `fields` has the names of the attributes, packed like ids. `count` is their number. */
  constructor(collection: string, count: number, fields: Uint8Array)
  /**
   * Takes what `Store.documents` returned for these documents. It must have at least the attributes of the fields.
   * Documents that do not exist, or are in another collection, are removed.
   */
  put(docs: Uint32Array, wire: Uint8Array): void
  /** Does some of the pending work. Returns true if nothing is left to do. */
  step(): boolean
  /** The number of documents. */
  readonly documents: number
  /** The number of distinct words. */
  readonly terms: number
  /** The memory of the index, in bytes. */
  readonly bytes: number
  /** Begins to write the index, as it is now. The two numbers say for which state of the log it is made. */
  save(position: number, checksum: number): TextSaving
  free(): void
}

/**
 * An index that is being written. Meanwhile documents may be put and words searched. If that changes the index, `next`
 * throws ABORTED.
 */
export class TextSaving {
  /** The length of all pieces together, in bytes. */
  readonly length: number
  /** Returns the next piece, or undefined at the end. Throws ABORTED if the index has changed. */
  next(index: TextIndex): Uint8Array | undefined
  free(): void
}

/** An index that is being read. All of its methods throw if the bytes are no index. */
export class TextLoading {
  /** `length` is the length of all pieces together, in bytes. */
  constructor(length: number)
  feed(bytes: Uint8Array): void
  /** Gives document `n` the number `numbers[n]`. Documents without a number, or with 2^32 - 1, are removed. */
  renumber(numbers: Uint32Array): void
  /** Does some of the work, once all bytes are there. Returns true if nothing is left to do. */
  step(): boolean
  /** Ends the reading and returns the index. The position and the checksum must be those that `save` was given. */
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
  /** True if the text has any words. */
  readonly hasWords: boolean
  /**
   * Adds the statistics of an index. `weights` has a weight for each field of the index, and 0 for a field that is not
   * searched. Fields of the same name in several collections share their statistics.
   */
  count(index: TextIndex, weights: Float64Array): void
  /**
   * Sets the number of all documents in the collections that are searched. Call it after `count` and before a search.
   */
  among(documents: number): void
  /**
   * Returns the weight of a field, the number of its words, and in how many documents each part of the question is.
   * Returns no numbers for a field that is not searched. For the same question, the numbers of several stores may be
   * added, except for the weights.
   */
  numbers(field: string): Float64Array
  /** Sets the numbers of a field, in place of `count`. Throws INVALID_ARGUMENT if they are of another question. */
  setNumbers(field: string, numbers: Float64Array): void
  /** The highest score that any document could have. */
  readonly ceiling: number
  /**
   * Returns the `most` best documents of an index, and all further ones with the same score as the last. Only documents
   * in `among` count, one bit for each document.
   */
  best(index: TextIndex, weights: Float64Array, most: number, among: Uint16Array | undefined): Scored
  /** Returns all documents of an index that match, in any order. */
  all(index: TextIndex, weights: Float64Array): Scored
  /** Returns the start and the end of each match in a text, in UTF-16 units, one after the other. */
  places(text: string): Uint32Array
  /** Returns the start and the end of the best passage of a text, in UTF-16 units. */
  passage(text: string): Uint32Array
  free(): void
}

export function initSync(options: { module: WebAssembly.Module }): unknown
