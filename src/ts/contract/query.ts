/** The constant of the sum of ranks, from the paper of Cormack, Clarke and Büttcher (2009). */
export const RANKS = 60

/** The default share of the words. It was the best over questions of several kinds: see docs/text-search.md. */
export const TEXT_SHARE = 0.4
/** The most attributes to order by. The module of texts keeps the columns of this many attributes. */
export const MOST_KEYS = 16
/** Returns a key of a record's collection and id. The length separates the two, whatever characters they contain. */
export const nameOf = ({ collection, id }: { collection: string; id: string }) =>
  `${collection.length} ${collection}${id}`

/** The numbers that the scores of a question's words depend on. Those of several stores can be added. */
export interface TextStatistics {
  /** The number of all records in the collections that are searched. */
  documents: number
  /** For each field its weight, the number of its words, and in how many records each part of the question is. */
  fields: [name: string, numbers: Float64Array][]
}
/** The statistics of one store. */
export interface OwnStatistics extends TextStatistics {
  /** The fields in which words are searched. Undefined: the question has no words. */
  known: string[] | undefined
  /** The settings of the collections that are searched, as one text. */
  settings: string
}

/** A condition of the filter: an attribute, and the types of value that it can match. Undefined: all types. */
export interface Condition {
  key: string
  types: number[] | undefined
}

/** A search that the module of texts answers. All of it can be cloned by the structured clone algorithm. */
export interface QueryArgs {
  text: string | undefined
  vector: Float32Array | undefined
  /** A record whose vector is taken, and which is left out. */
  like: { collection: string; id: string } | undefined
  /** Undefined: all. */
  collections: string[] | undefined
  filter: Uint8Array
  topK: number
  offset: number
  /** NaN: none. */
  minScore: number
  withVectors: boolean
  /** The keys of the attributes to return. Undefined: all. */
  attrs: string[] | undefined
  /** The share of the words in the score of a hybrid search. */
  fusion: number | 'rrf'
  /** True if a record must have all words. */
  matchAll: boolean
  prefix: boolean
  /** 0: off. 1: for words that no record has. 2: for all words. */
  fuzzy: number
  forms: 'en' | undefined
  /** Undefined: all. */
  fields: string[] | undefined
  /** The fields whose matches are returned. Undefined: none. */
  highlight: true | string[] | undefined
  groupBy: { key: string; size: number } | undefined
  facets: { [key: string]: number } | undefined
  /** The conditions whose attributes are counted. */
  explain?: Condition[] | undefined
  /**
   * The sums of the statistics of several stores. With 'own', the call returns the statistics of this store and nothing
   * else.
   */
  statistics?: TextStatistics | 'own' | undefined
  /** Returns these records, of those that the filter matches, in no order and without scores. */
  only?: { collection: string; id: string }[] | undefined
  /** Lists all records that match the filter, in this order and then by id. Undefined: it is a search. */
  orderBy: { key: string; descending: boolean }[] | undefined
}

/** A condition with the number of records that have its attribute with a value of each type. */
export interface Counted extends Condition {
  counts: number[]
}

export interface QueryHits {
  /** For each hit what `Store.documents` returns: u8 1, str collection, str id, attrs. */
  wire: Uint8Array
  scores: Float64Array
  /** Present if the question had a vector. */
  vectorScores: Float64Array | undefined
  /** Present if the question had words. */
  textScores: Float64Array | undefined
  vectors: Float32Array | undefined
  /**
   * For each hit, by field: start and end of each match, and the number of the list's element if the value is a list.
   */
  matches: { [field: string]: number[][] }[] | undefined
  snippets: (string | undefined)[] | undefined
  /** The value that the hit's group has in common. */
  groups: unknown[] | undefined
  /** By key: the values with their counts, the most frequent first. */
  facets: { [key: string]: [value: unknown, count: number][] } | undefined
  /** For each condition that was asked for: how many records have the attribute with a value of each type. */
  explain?: Counted[] | undefined
  /** The milliseconds from the engine's receiving the call to its answer. */
  took?: number
  /** Present if they were asked for. Then nothing else is. */
  statistics?: OwnStatistics | undefined
}
