import { invalid } from '../errors/errors.js'
import { nearest } from './nearest.js'
import type {
  ColumnarBatch,
  CreateCollectionOptions,
  Facet,
  GroupBy,
  ImportOptions,
  ListOptions,
  ListenOptions,
  Nidus,
  OpenOptions,
  PersistenceOptions,
  Query,
  QuestionOptions,
  RecordChange,
  RecordInput,
  SalvageOptions,
  SearchOptions,
  SetTextOptions,
  ShapeOptions,
  SignalOption,
  SimilarOptions,
  StaticOptions,
  StaticSource,
  StoreOptions,
  TextField,
  TextOptions,
  UpsertOptions,
  VectorSearchOptions,
} from '../types/index.js'
import type { Segment } from '../types/segment.js'

/** Lists the keys that an object may have. */
export type Known = { readonly [key: string]: 1 }
/**
 * All keys of a public type. The list does not compile if it lacks a key of the type, or has a key that the type lacks.
 */
export type KeysOf<T> = { readonly [K in T extends unknown ? keyof T : never]-?: 1 }

export const OPEN = {
  dimension: 1,
  storage: 1,
  readOnly: 1,
  durability: 1,
  autoCompact: 1,
  maxVectorBytes: 1,
  compat: 1,
  memory: 1,
  workers: 1,
  multiTab: 1,
  worker: 1,
  wasm: 1,
} satisfies KeysOf<OpenOptions>
export const STORE = { storage: 1, root: 1, worker: 1, wasm: 1 } satisfies KeysOf<StoreOptions>
export const PERSISTENCE = { request: 1, timeout: 1 } satisfies KeysOf<PersistenceOptions>
export const SALVAGE = { dimension: 1, storage: 1, into: 1, worker: 1, wasm: 1 } satisfies KeysOf<SalvageOptions>
export const IMPORT = { ...OPEN, replace: 1, signal: 1, onProgress: 1 } satisfies KeysOf<ImportOptions>
export const FILES = { data: 1, log: 1 } satisfies Known
export const STATIC = {
  memory: 1,
  onProgress: 1,
  signal: 1,
  cache: 1,
  headers: 1,
  fetch: 1,
  timeout: 1,
  wasm: 1,
} satisfies KeysOf<StaticOptions>
export const STATIC_SOURCE = { data: 1, log: 1, bucket: 1 } satisfies KeysOf<StaticSource>
export const UPSERT = { signal: 1, onProgress: 1, transfer: 1 } satisfies KeysOf<UpsertOptions>
export const CHANGE = { id: 1, attrs: 1 } satisfies KeysOf<RecordChange>
export const RECORD = { id: 1, vector: 1, attrs: 1 } satisfies KeysOf<RecordInput>
export const BATCH = { ids: 1, vectors: 1, attrs: 1 } satisfies KeysOf<ColumnarBatch>
export const SEARCH = {
  collections: 1,
  topK: 1,
  minScore: 1,
  filter: 1,
  withVectors: 1,
  signal: 1,
} satisfies KeysOf<SearchOptions>
export const SHAPE = { offset: 1, groupBy: 1, attrs: 1, explain: 1 } satisfies KeysOf<ShapeOptions>
export const VECTOR_SEARCH = { ...SEARCH, ...SHAPE, facets: 1 } satisfies KeysOf<VectorSearchOptions>
/** The options that only a search for words has. */
export const FOR_WORDS = {
  fusion: 1,
  match: 1,
  prefix: 1,
  fuzzy: 1,
  forms: 1,
  fields: 1,
  highlight: 1,
} satisfies KeysOf<TextOptions>
/** The options of a search for words. Those of a search by vector are among them. */
export const QUESTION = { ...VECTOR_SEARCH, ...FOR_WORDS } satisfies KeysOf<QuestionOptions>
export const SIMILAR = { ...SEARCH, ...SHAPE } satisfies KeysOf<SimilarOptions>
export const LIST = {
  filter: 1,
  orderBy: 1,
  offset: 1,
  limit: 1,
  attrs: 1,
  withVectors: 1,
  explain: 1,
  signal: 1,
} satisfies KeysOf<ListOptions>
export const QUERY = { vector: 1, text: 1 } satisfies KeysOf<Query>
export const GROUP_BY = { key: 1, size: 1 } satisfies KeysOf<GroupBy>
export const FACET = { limit: 1 } satisfies KeysOf<Facet>
export const FIELD = { weight: 1 } satisfies KeysOf<TextField>
export const CREATE = { text: 1 } satisfies KeysOf<CreateCollectionOptions>
export const SET_TEXT = { signal: 1, onProgress: 1 } satisfies KeysOf<SetTextOptions>
export const SIGNAL = { signal: 1 } satisfies KeysOf<SignalOption>
export const LISTEN = { ids: 1, ...SIGNAL } satisfies KeysOf<ListenOptions>
export const RECORDS = { filter: 1, ...SIGNAL } satisfies KeysOf<NonNullable<Parameters<Nidus['records']>[1]>>
export const SEGMENT = { dimension: 1 } satisfies KeysOf<Parameters<typeof Segment.open>[1]>
export const SEGMENT_SEARCH = { topK: 1, minScore: 1 } satisfies KeysOf<NonNullable<Parameters<Segment['search']>[1]>>

/**
 * Throws if an object of the caller's has an own, enumerable key that is not known. A key that is silently ignored
 * would give a wrong answer. A key whose value is undefined counts as absent, whatever its name.
 */
export function checkKeys(object: object, known: Known, place: string | (() => string), noun = 'key') {
  for (const key in object) {
    // Inherited keys are allowed: they are the methods and getters of a class. `for in` does not list symbols.
    if (known[key] === 1 || !Object.hasOwn(object, key) || (object as Record<string, unknown>)[key] === undefined)
      continue
    throw invalid(
      `${typeof place === 'string' ? place : place()}: unknown ${noun} ` +
        `\`${key.slice(0, 60)}\`${nearest(key, Object.keys(known))}`,
    )
  }
}
