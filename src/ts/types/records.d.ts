import type { Attrs } from './attrs.js'
import type { FilterKey, TextHit, TextOptions } from './text.js'
import type { Vector } from './vector.js'

/**
 * A record to store. A hit is not one: give `{ id, vector, attrs }` of a hit that a search returned `withVectors`.
 *
 * A key that is not listed here is refused with `INVALID_ARGUMENT`, as in batches and in every object of options. A key
 * whose value is undefined counts as absent.
 */
export interface RecordInput<A = Attrs> {
  /** The record's name within its collection. A record of the same id is replaced. */
  id: string
  /**
   * The vector: as many numbers as the store's dimension. The store scales them to length 1. They are copied before the
   * call returns, so the array may be changed afterwards.
   *
   * A vector of zeros, or one shorter than 1e-12, is stored as it is, and its scores are 0 or nearly 0. For a query
   * like that, every record has such a score. This is native's rule. A vector of zeros usually comes from a fault in
   * the embedding model, so check for it where you make the vectors.
   */
  vector: Vector
  /** Values to filter by and to get back with the record. {@link AttrValue} says which types they may have. */
  attrs?: A
}

/** Many records to store, as columns. This form is faster than a list of records. */
export interface ColumnarBatch<A = Attrs> {
  /** The ids of the records. */
  ids: string[]
  /**
   * The vectors of all records, one after the other: `ids.length * dimension` numbers. Or a list of vectors, as
   * `tensor.tolist()` gives it.
   */
  vectors: Exclude<Vector, number[]> | Vector[]
  /** The attributes of all records: one object for each id. {@link AttrValue} says which types the values may have. */
  attrs?: A[]
}

/** Changes to the attributes of one record. */
export interface RecordChange<A = Attrs> {
  /** The record's name within its collection. */
  id: string
  /** The new values. A key whose value is `undefined` is removed, and a key that is not named keeps its value. */
  attrs: { [K in keyof A]?: A[K] | undefined }
}

/** A record as the store holds it. */
export interface VectorRecord<A = Attrs> {
  /** The record's name within its collection. */
  id: string
  /** The vector, scaled to length 1. */
  vector: Float32Array
  /** The record's attributes; `{}` if it has none. */
  attrs: A
}

/** A record in a list. */
export interface ListedRecord<A = Attrs> {
  /** The record's name within its collection. */
  id: string
  /** The record's attributes, or those that were asked for; `{}` if it has none. */
  attrs: A
  /** The record's vector, scaled to length 1. Present only with `withVectors: true`. */
  vector?: Float32Array
}

/** Listed records, with `explain` if the list asked for it. */
export type Listed<A = Attrs> = ListedRecord<A>[] & { explain?: FilterKey[] }

/** A record that a search found. */
export interface Hit<A = Attrs, C extends string = string> extends TextHit {
  /** The collection that the record is in. */
  collection: C
  /** The record's name within its collection. */
  id: string
  /**
   * The score. For a search for a vector, it is the cosine similarity of query and record: 1 for the same direction, 0
   * for a right angle, -1 for the opposite direction. Rounding may bring it past 1 by a millionth or two. For a search
   * for words, it is the BM25 score. For a search for both, it is a number from 0 to 1, or with `fusion: 'rrf'` a sum
   * of ranks: see {@link TextOptions.fusion}.
   */
  score: number
  /** The record's attributes; `{}` if it has none. */
  attrs: A
  /** The record's vector, scaled to length 1. Present only if the search has `withVectors: true`. */
  vector?: Float32Array
}
