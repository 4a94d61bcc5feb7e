/// <reference path="./platform.d.ts" />
import type { AttrValue } from './attrs.js'
import type { Vector } from './vector.js'

/** How one field of a collection's texts is searched. */
export interface TextField {
  /** How much a word in this field counts, beside words in other fields: a number from 1e-9 to 1e9. Default: 1. */
  weight?: number
}
/**
 * The attributes of a collection in which `search({ text })` finds words: one name, several names, or an object with
 * the names and their weights. The attributes are strings or lists of strings. Other values have no words.
 */
export type TextConfig = string | string[] | { [field: string]: TextField }
/** The settings of a collection's texts, with all weights. */
export interface TextSettings {
  [field: string]: Required<TextField>
}

export interface SetTextOptions {
  /** Aborts the call (`ABORTED`). The old settings stay. */
  signal?: AbortSignal
  /** Called while records are read, with the number of records read so far and the number of all records. */
  onProgress?: (done: number, total: number) => void
}

export interface CreateCollectionOptions {
  /**
   * The attributes in which `search({ text })` finds words. If the collection exists, this does what `setText` does.
   */
  text?: TextConfig
}

/** A question for words, or for words and a vector together. */
export interface TextQuery {
  /** The vector of the question, as `search(vector)` takes it. */
  vector?: Vector | undefined
  /**
   * The words of the question. Case and accents make no difference. A text without a word (empty, or only punctuation)
   * counts as no text.
   */
  text: string
}
/** A question for a vector alone. */
export interface VectorQuery {
  /** The vector of the question, as `search(vector)` takes it. */
  vector: Vector
  text?: undefined
}
/** A question: a vector, words, or both. */
export type Query = TextQuery | VectorQuery

/** The options of a search for words. All but `fields` and `highlight` also hold for words together with a vector. */
export interface TextOptions {
  /**
   * How words and vector are put together. Default: `{ text: 0.4 }`.
   *
   * With `{ text: a }` the score of a record is `(1 - a) * max(0, cosine) + a * BM25 / most`. `most` is the BM25 score
   * that no record can exceed for this question, so scores are from 0 to 1, whatever the filter and `topK` are.
   *
   * With `'rrf'` it is the sum of `1 / (60 + rank)` over the two rankings of all records that match the filter. It is
   * slower, because every record must be ranked, and it is often worse.
   */
  fusion?: { text: number } | 'rrf'
  /**
   * `'any'` finds records that have one of the words or more. `'all'` finds those that have all words. Default: 'any'.
   */
  match?: 'any' | 'all'
  /** Also finds words that begin with the last word of the text, for a search while somebody types. Default: false. */
  prefix?: boolean
  /**
   * Also finds words that differ by one letter. `1` does so only for words that no record has, and `'every'` for all
   * words. Default: 0.
   */
  fuzzy?: 0 | 1 | 'every'
  /** `'en'` also finds other forms of English words: `connect` finds `connected`. Default: no other forms. */
  forms?: 'en'
  /** Searches these fields alone. Default: all fields of the collections' settings. */
  fields?: string[]
  /**
   * Returns `matches` and `snippet` with each hit, for the given fields or for all (true). Default: false.
   */
  highlight?: boolean | string[]
}

export interface GroupBy {
  /** The key of the attribute whose value the hits of a group have in common. */
  key: string
  /** The most hits of each group. Default: 1. */
  size?: number
}
export interface Facet {
  /** The most values to return. Default: 10. */
  limit?: number
}
/** One value of an attribute, and how many records have it. */
export interface FacetCount {
  value: AttrValue
  count: number
}

/** How many records have an attribute that a filter names. */
export interface FilterKey {
  key: string
  /** How many records of the searched collections have the attribute. */
  records: number
  /** How many of them have it with a value of each type. */
  types: { null?: number; boolean?: number; number?: number; date?: number; string?: number; list?: number }
  /** Why no record matches a condition on the attribute: none has it, or none has a value of such a type. */
  note?: string
}

/** Hits, with `facets` and `explain` if the search asked for them. */
export type Hits<T> = T[] & {
  facets?: { [key: string]: FacetCount[] }
  explain?: FilterKey[]
  /**
   * The milliseconds that the engine took, without the way to its worker or tab and back. Absent in answers of a
   * sharded store. It is not enumerable: a copy of the array does not have it. The clock of a Worker of Cloudflare
   * stands still during work, so there it is 0.
   */
  readonly took?: number
}

/** The start and the end of a match in a text, in UTF-16 units, as `slice` takes them. */
export type TextMatch = [from: number, to: number]
/** A match in an element of a list: its start, its end, and the number of the element. */
export type ListMatch = [from: number, to: number, element: number]

/** What a search for words adds to a hit. */
export interface TextHit {
  /** The cosine of the record's vector and the question's. Present if the question has a vector. */
  vectorScore?: number
  /** The BM25 score of the record's texts, 0 if it has none of the words. Present if the question has words. */
  textScore?: number
  /** The places of the words, by field. Present if the search has `highlight`. */
  matches?: { [field: string]: TextMatch[] | ListMatch[] }
  /** The value that the hits of the group have in common, undefined if they have none. Present with `groupBy`. */
  group?: AttrValue
  /** The passage of the texts with the most of the words. Present if the search has `highlight` and a field matches. */
  snippet?: string
}
