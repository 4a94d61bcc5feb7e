import { checkKeys } from '../arguments/keys.js'
import { NidusError, invalid } from '../errors/errors.js'
import type { Chunk } from '../types/text-index.js'
import { chunk } from './chunks/index.js'
import { countTokens } from './embedder.js'
import { CHUNK } from './keys.js'
import type { Document } from './records.js'
import type { Settings } from './settings.js'
import { waitingFor } from './waiting.js'

/** The passages of a document. `uncounted`: why its tokens are estimated by letters, if the embedder counts them. */
export interface Chunks {
  chunks: Chunk[]
  uncounted?: NidusError
}

/**
 * Cuts a document into passages. `signal` ends the wait for functions of the caller's. A model that cannot be reached
 * counts no tokens. Then they are estimated by letters, so that the words are found all the same.
 */
export async function chunksOf(
  { id, text, format }: Document,
  { chunker, embedder }: Settings,
  signal: AbortSignal,
): Promise<Chunks> {
  if (!chunker.own) {
    const estimated = () => chunk(text, format, chunker.sizes)
    if (!embedder?.countTokens) return { chunks: await estimated() }
    try {
      return {
        chunks: await chunk(text, format, chunker.sizes, (texts) => countTokens(embedder, texts, signal)),
      }
    } catch (error) {
      if (!(error instanceof NidusError) || error.code !== 'EMBEDDER_FAILED') throw error
      return { chunks: await estimated(), uncounted: error }
    }
  }
  const own = chunker.own
  const chunks = await waitingFor(`add: document "${id}": the chunker`, () => own({ id, text, format }), signal)
  if (!Array.isArray(chunks)) throw invalid(`add: document "${id}": the chunker returned no list of chunks`)
  chunks.forEach((given: Chunk | undefined | null, i) =>
    checkChunk(given, text, `add: document "${id}": chunk ${i} of the chunker`),
  )
  return { chunks }
}

function checkChunk(given: Chunk | undefined | null, text: string, who: string) {
  if (typeof given !== 'object' || given === null) throw invalid(`${who} is no { text, start, end }`)
  checkKeys(given, CHUNK, who)
  const { text: part, start, end, headings = [] } = given
  if (typeof part !== 'string') throw invalid(`${who}: \`text\` is a text`)
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end < start || end > text.length)
    throw invalid(`${who}: \`start\` and \`end\` are places in the text, from 0 to ${text.length}`)
  if (!Array.isArray(headings) || !headings.every((heading) => typeof heading === 'string'))
    throw invalid(`${who}: \`headings\` is a list of texts`)
}
