import { checkKeys } from '../arguments/keys.js'
import { invalid } from '../errors/errors.js'
import type { Chunk } from '../types/text-index.js'
import { chunk } from './chunks/index.js'
import { countTokens } from './embedder.js'
import { CHUNK } from './keys.js'
import type { Document } from './records.js'
import type { Settings } from './settings.js'
import { waitingFor } from './waiting.js'

/** Cuts a document into passages. `signal` ends the wait for functions of the caller's. */
export async function chunksOf(
  { id, text, format }: Document,
  { chunker, embedder }: Settings,
  signal: AbortSignal,
): Promise<Chunk[]> {
  if (!chunker.own) {
    const count = embedder?.countTokens && ((texts: string[]) => countTokens(embedder, texts, signal))
    return chunk(text, format, chunker.sizes, count)
  }
  const own = chunker.own
  const chunks = await waitingFor(`add: document "${id}": the chunker`, () => own({ id, text, format }), signal)
  if (!Array.isArray(chunks)) throw invalid(`add: document "${id}": the chunker returned no list of chunks`)
  chunks.forEach((given: Chunk | undefined | null, i) =>
    checkChunk(given, text, `add: document "${id}": chunk ${i} of the chunker`),
  )
  return chunks
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
