import { checkKeys } from '../arguments/keys.js'
import { oneOf } from '../arguments/options.js'
import { aborted, invalid } from '../errors/errors.js'
import type { RecordInput } from '../types/index.js'
import type { AddReport, Chunk, DocumentInput, TextProgress } from '../types/text-index.js'
import { isPlainObject } from '../core/wire.js'
import { FORMATS, chunk } from './chunks/index.js'
import { CHUNK, DOCUMENT } from './keys.js'
import type { PassageStore, Stored } from './passage-store.js'
import {
  checkAttrs,
  digestOf,
  passageId,
  passageIds,
  passagesOf,
  embeddedText,
  type Document,
  type PassageAttrs,
} from './records.js'
import type { Settings } from './settings.js'

/** Documents are stored together until there are so many of them, or of UTF-16 units. This bounds the memory. */
const BATCH = { documents: 64, units: 1 << 20 }
const MOST_UNITS = 64e6

type Documents<A> = DocumentInput<A> | Iterable<DocumentInput<A>> | AsyncIterable<DocumentInput<A>>

async function* each<A>(documents: Documents<A>): AsyncIterable<unknown> {
  if (typeof documents !== 'object' || documents === null)
    throw invalid('add: give a document { id, text }, or an iterable of documents')
  if (Symbol.asyncIterator in documents || Symbol.iterator in documents) yield* documents as AsyncIterable<unknown>
  else yield documents
}

function checkDocument(given: unknown, number: number): Document {
  const { id, text, title, format = 'text', attrs = {} } = (given ?? {}) as DocumentInput
  const who = typeof id === 'string' ? `document "${id.slice(0, 60)}"` : `document ${number}`
  if (typeof given === 'object' && given !== null) checkKeys(given, DOCUMENT, `add: ${who}`)
  if (typeof id !== 'string') throw invalid(`add: ${who}: a document is { id, text }, and both are texts`)
  if (typeof text !== 'string') throw invalid(`add: ${who}: \`text\` is a text, not ${typeof text}`)
  if (text.length > MOST_UNITS)
    throw invalid(`add: ${who}: \`text\` has ${text.length} letters, and the limit is ${MOST_UNITS}. Split it`)
  if (title !== undefined && typeof title !== 'string') throw invalid(`add: ${who}: \`title\` is a text`)
  oneOf(format, `add: ${who}: \`format\``, Object.keys(FORMATS))
  if (!isPlainObject(attrs)) throw invalid(`add: ${who}: \`attrs\` is a plain object`)
  checkAttrs(attrs, `add: ${who}`)
  return { id, text, title, format, attrs: { ...attrs } }
}

/** Counts what one call of `add` does, and says so. */
export class Progress {
  documents = 0
  unchanged = 0
  embedded = 0
  passages = 0
  #began: number | undefined

  constructor(private readonly told: ((progress: TextProgress) => void) | undefined) {}

  beginEmbedding() {
    this.#began = performance.now()
    this.tell()
  }

  tell() {
    const seconds = this.#began === undefined ? 0 : (performance.now() - this.#began) / 1000
    const perSecond = seconds > 0 ? this.embedded / seconds : 0
    const { documents, unchanged, embedded, passages } = this
    const secondsLeft = perSecond > 0 ? (passages - embedded) / perSecond : undefined
    this.told?.({ documents, unchanged, embedded, passages, perSecond, secondsLeft })
  }
}

/**
 * Cuts and stores documents, so that their words are found. Returns what was done, and the ids of the passages that are
 * to be embedded.
 */
export async function storeDocuments<A>(
  store: PassageStore,
  settings: Settings,
  documents: Documents<A>,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<{ report: AddReport; pending: string[] }> {
  const report: AddReport = { added: 0, unchanged: 0, passages: 0, embedded: 0 }
  const pending: string[] = []
  // A document that comes twice counts as it is last.
  let batch = new Map<string, Document>()
  let units = 0
  let number = 0
  const flush = async () => {
    if (signal?.aborted) throw aborted(signal, 'aborted: the documents before this one are stored')
    const all = [...batch.values()]
    batch = new Map()
    units = 0
    await store.inOrder(() => storeBatch(store, settings, all, report, pending))
    progress.documents = report.added + report.unchanged
    progress.unchanged = report.unchanged
    progress.passages = pending.length
    progress.tell()
  }
  for await (const given of each(documents)) {
    const document = checkDocument(given, number++)
    batch.set(document.id, document)
    units += document.text.length
    if (batch.size >= BATCH.documents || units >= BATCH.units) await flush()
  }
  if (batch.size > 0) await flush()
  report.embedded = pending.length
  return { report, pending }
}

async function storeBatch(
  store: PassageStore,
  settings: Settings,
  documents: Document[],
  report: AddReport,
  pending: string[],
) {
  const ids = documents.map(({ id }) => id)
  const digests = documents.map((document) => digestOf(document, settings.chunker.name))
  const cut = async (i: number) => passagesOf(documents[i], await chunksOf(documents[i], settings), digests[i])
  // Cutting may take long, so it is done before anybody has to wait for the lock.
  const early = await store.firsts(ids)
  const ready: (PassageAttrs[] | undefined)[] = []
  for (const [i, first] of early.entries()) ready.push(first?.attrs._digest === digests[i] ? undefined : await cut(i))
  const unchanged: Stored[] = []
  await store.exclusive(async () => {
    const firsts = await store.firsts(ids)
    const records: RecordInput[] = []
    const surplus: string[] = []
    const shorter: string[] = []
    for (const [i, document] of documents.entries()) {
      const first = firsts[i]
      if (first?.attrs._digest === digests[i]) {
        unchanged.push(first)
        continue
      }
      const before = first?.attrs
      const passages = ready[i] ?? (await cut(i))
      const had = Math.max(before?._of ?? 0, before?._was ?? 0)
      const vectors = await vectorsOf(store, document.id, had)
      const more = passageIds(document.id, passages.length, had)
      if (more.length > 0) {
        passages[0]._was = had
        surplus.push(...more)
        shorter.push(passageId(document.id, 0))
      }
      for (const attrs of passages) {
        const id = passageId(document.id, attrs._n)
        const vector = vectors.get(attrs._hash)
        // A passage without any text has nothing to embed.
        const waits = !vector && embeddedText(attrs) !== ''
        if (waits) pending.push(id)
        records.push({
          id,
          vector: vector ?? new Float32Array(store.db.dimension),
          attrs: waits ? { ...attrs, _pending: true } : attrs,
        })
      }
      report.added++
      report.passages += passages.length
    }
    await store.write(records, surplus, shorter)
  })
  report.unchanged += unchanged.length
  pending.push(...(await waiting(store, unchanged)))
}

/** Returns the passages that an earlier call stored and did not embed. `firsts` are the first ones of documents. */
async function waiting(store: PassageStore, firsts: Stored[]): Promise<string[]> {
  if (firsts.length === 0 || (await store.counts()).pending === 0) return []
  const passages = await store.get(firsts.flatMap(({ attrs: { _doc, _of = 1 } }) => passageIds(_doc, 0, _of)))
  return passages.filter((passage): passage is Stored => passage?.attrs._pending === true).map(({ id }) => id)
}

/** Returns the vectors of a document's passages by the hashes of what was embedded. */
async function vectorsOf(store: PassageStore, document: string, count: number): Promise<Map<string, Float32Array>> {
  if (count === 0) return new Map()
  const passages = await store.get(passageIds(document, 0, count))
  return new Map(
    passages
      .filter((passage): passage is Stored => passage !== undefined && !passage.attrs._pending)
      .map(({ vector, attrs }) => [attrs._hash, vector]),
  )
}

async function chunksOf({ id, text, format }: Document, { chunker, embedder }: Settings): Promise<Chunk[]> {
  if (!chunker.own) return chunk(text, format, chunker.sizes, embedder)
  const chunks = await chunker.own({ id, text, format })
  if (!Array.isArray(chunks)) throw invalid(`add: document "${id}": the chunker returned no list of chunks`)
  chunks.forEach((given: Chunk | undefined, i) => {
    const who = `add: document "${id}": chunk ${i} of the chunker`
    if (typeof given !== 'object') throw invalid(`${who} is no { text, start, end }`)
    checkKeys(given, CHUNK, who)
    const { text: part, start, end, headings = [] } = given
    if (typeof part !== 'string') throw invalid(`${who}: \`text\` is a text`)
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end < start || end > text.length)
      throw invalid(`${who}: \`start\` and \`end\` are places in the text, from 0 to ${text.length}`)
    if (!Array.isArray(headings) || !headings.every((heading) => typeof heading === 'string'))
      throw invalid(`${who}: \`headings\` is a list of texts`)
  })
  return chunks
}
