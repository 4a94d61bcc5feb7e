/// <reference path="./platform.d.ts" />
import type { Attrs, Filter } from './attrs.js'
import type { Facet, GroupBy, TextOptions } from './text.js'

export interface SearchOptions<A = Attrs, C extends string = string> {
  /**
   * The collections to search. Default: all of them. A name that is given twice counts once. A collection that does not
   * exist counts as empty and is no error, because a collection begins with its first record. `hasCollection` tells
   * whether a name exists. Words are searched only where a collection of the search has text settings.
   *
   * Every record of these collections counts as a document in the scores of words, also one without a text. So name
   * the collections that have texts, if others have many records.
   */
  collections?: C | C[]
  /** The number of hits to return at most. Default: 10. 0 returns an empty list. */
  topK?: number
  /** The least score that a hit may have. Default: no limit. */
  minScore?: number
  /** Searches only the records that match this filter. Default: all records. */
  filter?: Filter<A> | undefined
  /** Returns each hit's vector, too. Default: false. */
  withVectors?: boolean
  /** Aborts the search: the call rejects with `ABORTED`. */
  signal?: AbortSignal
}

/** Which of the hits an answer has, and how much of each. */
export interface ShapeOptions {
  /** The number of hits (or groups) to skip before the first one that is returned. Default: 0. */
  offset?: number
  /**
   * Returns the best hits for each value of an attribute. `topK` is then the number of values. Hits with the same value
   * lie next to each other, and the values are ordered by their best hit. Records without the attribute are a group,
   * too.
   */
  groupBy?: string | GroupBy
  /** Returns only these attributes with each hit. `false` returns none. Default: all. */
  attrs?: boolean | string[]
  /**
   * Explains why a filter matches nothing. The result's `explain` has, for each attribute of the filter, how many
   * records of the searched collections have it, and with which types of value. Default: false.
   */
  explain?: boolean
}

/** The options of a search for a vector. */
export interface VectorSearchOptions<A = Attrs, C extends string = string> extends SearchOptions<A, C>, ShapeOptions {
  /**
   * Counts the values of attributes over all records that match the filter. If the question has words, counts only
   * records that the words match. The result's `facets` has the values by key, the most frequent first. Each element of
   * a list counts.
   */
  facets?: { [key: string]: Facet }
}

/** The options of a search whose question is an object. */
export interface QuestionOptions<A = Attrs, C extends string = string> extends VectorSearchOptions<A, C>, TextOptions {}

/** The options of a search for the records that are similar to one. */
export interface SimilarOptions<A = Attrs, C extends string = string> extends SearchOptions<A, C>, ShapeOptions {}

/** The options of `count`, `update` and `deleteWhere`, and one of those of `records`. */
export interface SignalOption {
  /**
   * Aborts the call, which rejects with `ABORTED`, even while a slow filter is evaluated. An aborted write changes
   * nothing. Once a write is durable, it cannot be aborted, and the call ends as it would without the signal.
   */
  signal?: AbortSignal
}

/** The options of a list of records. */
export interface ListOptions<A = Attrs> extends SignalOption {
  /** Lists only the records that match this filter. Default: all records. */
  filter?: Filter<A> | undefined
  /**
   * The attributes to order by, at most 16, the first one first: `{ year: 'desc', title: 'asc' }`, or one key for
   * ascending order. Records that are equal in all of them are ordered by id. Default: the order of the ids.
   *
   * Ascending order is: null, false, true, numbers, dates, texts and lists. NaN comes before all other numbers. Texts
   * are ordered by their UTF-8 bytes. Records without the attribute come last, in both directions.
   */
  orderBy?: (keyof A & string) | { [K in keyof A & string]?: 'asc' | 'desc' | undefined }
  /** The number of records to skip before the first one that is returned. Default: 0. */
  offset?: number
  /** The number of records to return at most. Default: no limit. */
  limit?: number
  /** Returns only these attributes of each record. `false` returns none. Default: all. */
  attrs?: boolean | string[]
  /** Returns each record's vector, too. Default: false. */
  withVectors?: boolean
  /**
   * Explains why a filter matches nothing. The result's `explain` has, for each attribute of the filter, how many
   * records of the collection have it, and with which types of value. Default: false.
   */
  explain?: boolean
}
