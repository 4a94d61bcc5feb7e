import type { KeysOf } from '../arguments/keys.js'
import type {
  AddOptions,
  Chunk,
  ChunkOptions,
  Chunker,
  DocumentInput,
  DocumentListOptions,
  TextIndexOptions,
  TextSearchOptions,
} from '../types/text-index.js'

export const OPEN = { embedder: 1, chunks: 1, resume: 1, store: 1 } satisfies KeysOf<TextIndexOptions>
export const CHUNKS = { size: 1, overlap: 1 } satisfies KeysOf<ChunkOptions>
export const CHUNKER = { name: 1, chunk: 1 } satisfies KeysOf<Chunker>
export const CHUNK = { text: 1, start: 1, end: 1, headings: 1 } satisfies KeysOf<Chunk>
export const DOCUMENT = { id: 1, text: 1, title: 1, format: 1, attrs: 1 } satisfies KeysOf<DocumentInput>
export const LIST = {
  filter: 1,
  orderBy: 1,
  offset: 1,
  limit: 1,
  signal: 1,
} satisfies KeysOf<DocumentListOptions>
export const ADD = { onProgress: 1, signal: 1 } satisfies KeysOf<AddOptions>
export const SEARCH = {
  topK: 1,
  offset: 1,
  minScore: 1,
  filter: 1,
  by: 1,
  passages: 1,
  onWords: 1,
  signal: 1,
  fusion: 1,
  match: 1,
  prefix: 1,
  fuzzy: 1,
  forms: 1,
} satisfies KeysOf<TextSearchOptions>
