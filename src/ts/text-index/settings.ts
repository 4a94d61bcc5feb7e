import { CHUNKER, CHUNKS, OPEN } from './keys.js'
import { promisedEmbedder } from './embedder.js'
import { OPEN as OPEN_STORE, checkKeys } from '../arguments/keys.js'
import { checkOptions } from '../arguments/options.js'
import { invalid } from '../errors/errors.js'
import type { ChunkOptions, Chunker, Embedder, TextIndexOptions } from '../types/text-index.js'
import { chunkerName, sizesOf } from './chunks/index.js'
import type { Sizes } from './chunks/pack.js'

const SIZE = 200
const OVERLAP = 30

const { dimension: _, readOnly: __, ...STORE } = OPEN_STORE

export interface Settings {
  embedder: Embedder | undefined
  /** The name that the index remembers, and either sizes or a function of the caller's. */
  chunker: { name: string; sizes: Sizes; own?: Chunker['chunk'] }
  /** Whether the caller said how documents are cut. */
  chosen: boolean
  resume: boolean
  store: NonNullable<TextIndexOptions['store']>
}

export async function settingsOf(given: TextIndexOptions | undefined): Promise<Settings> {
  const {
    embedder: promised,
    chunks,
    resume = true,
    store = {},
  } = checkOptions(given, OPEN, 'TextIndex.open') as TextIndexOptions
  if (typeof resume !== 'boolean') throw invalid('TextIndex.open: `resume` is true or false')
  for (const [key, why] of [
    ['dimension', 'comes from the embedder'],
    ['readOnly', 'is not supported'],
  ])
    if ((store as Record<string, unknown> | null)?.[key] !== undefined)
      throw invalid(`TextIndex.open: \`store.${key}\` ${why}`)
  checkOptions(store, STORE, 'TextIndex.open: store')
  const chunker = chunkerOf(chunks)
  const embedder = promised === undefined ? undefined : await promisedEmbedder(promised, 'TextIndex.open')
  return { embedder, chunker, chosen: chunks !== undefined, resume, store }
}

function chunkerOf(given: ChunkOptions | Chunker | undefined): Settings['chunker'] {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given)))
    throw invalid('TextIndex.open: `chunks` is { size, overlap } or { name, chunk(document) }')
  if (given && 'chunk' in given) {
    checkKeys(given, CHUNKER, 'chunks')
    if (typeof given.chunk !== 'function' || typeof given.name !== 'string' || given.name === '')
      throw invalid('TextIndex.open: a chunker is { name, chunk(document) }')
    return {
      name: `own: ${given.name}`,
      sizes: { size: SIZE, overlap: OVERLAP },
      own: (document) => given.chunk(document),
    }
  }
  checkOptions(given, CHUNKS, 'TextIndex.open: chunks')
  const size = given?.size ?? SIZE
  const overlap = given?.overlap ?? Math.min(OVERLAP, Math.floor(size / 2))
  if (!Number.isInteger(size) || size < 16 || size > 8192)
    throw invalid(`TextIndex.open: \`chunks.size\` is a whole number from 16 to 8192, not ${String(size)}`)
  if (!Number.isInteger(overlap) || overlap < 0 || overlap > size / 2)
    throw invalid(`TextIndex.open: \`chunks.overlap\` is a whole number from 0 to half of the size (${size / 2})`)
  const sizes = { size, overlap }
  return { name: chunkerName(sizes), sizes }
}

/** Returns the chunker by which an index was made. Refuses another one that the caller chose. */
export function chunkerAs(name: string, { chunker, chosen }: Settings, index: string): Settings['chunker'] {
  if (name === chunker.name) return chunker
  const sizes = sizesOf(name)
  if (!chosen && sizes) return { name, sizes }
  throw invalid(
    `the documents of the index "${index}" were cut by "${name}", not by "${chunker.name}". Open it ` +
      `${sizes ? 'without `chunks`' : 'with that chunker'}, or use another name for the index`,
  )
}
