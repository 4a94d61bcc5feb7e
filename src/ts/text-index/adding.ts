import { checkKeys } from '../arguments/keys.js'
import { oneOf } from '../arguments/options.js'
import { NidusError, aborted, invalid } from '../errors/errors.js'
import type { RecordInput } from '../types/index.js'
import type { AddReport, DocumentInput } from '../types/text-index.js'
import { isPlainObject } from '../core/wire.js'
import { chunksOf } from './chunking.js'
import { FORMATS } from './chunks/index.js'
import type { Held } from './current.js'
import { DOCUMENT } from './keys.js'
import type { PassageStore, Stored } from './passage-store.js'
import {
  checkAttrs,
  digestOf,
  passageId,
  passageIds,
  passagesOf,
  hasMeaning,
  type Document,
  type PassageAttrs,
} from './records.js'
import type { Progress } from './progress.js'
import type { Task } from './queue.js'
import { callbackFailed, endOf, waitingFor } from './waiting.js'

/** Documents are stored together until there are so many of them, or of UTF-16 units. This bounds the memory. */
const BATCH = { documents: 64, units: 1 << 20 }
const MOST_UNITS = 64e6

type Documents<A> = DocumentInput<A> | Iterable<DocumentInput<A>> | AsyncIterable<DocumentInput<A>>

/**
 * Calls `each` with one document after the other. Waits for an iterable no longer than until `signal` is aborted. What
 * the iterable throws is CALLBACK_FAILED.
 */
async function forEachOf<A>(documents: Documents<A>, signal: AbortSignal, each: (given: unknown) => Promise<void>) {
  if (typeof documents !== 'object' || documents === null)
    throw invalid('add: give a document { id, text }, or an iterable of documents')
  const what = 'add: the iterable of documents'
  const begin = (): AsyncIterator<unknown> | Iterator<unknown> | undefined =>
    Symbol.asyncIterator in documents
      ? documents[Symbol.asyncIterator]()
      : Symbol.iterator in documents
        ? documents[Symbol.iterator]()
        : undefined
  // Not an async function: an iterator that has a `then` by mistake would be waited for.
  let iterator: ReturnType<typeof begin>
  try {
    iterator = begin()
  } catch (error) {
    throw callbackFailed(what, error)
  }
  if (!iterator) return each(documents)
  let over = false
  try {
    for (;;) {
      const { done, value } = await waitingFor(what, () => iterator.next(), signal).catch((error: unknown) => {
        over = !signal.aborted
        throw error
      })
      if (done) {
        over = true
        return
      }
      await each(value)
    }
  } finally {
    // It may still be at work, so nobody waits until it has ended.
    if (!over) void Promise.resolve(attempt(() => iterator.return?.())).catch(() => {})
  }
}

function attempt(call: () => unknown): unknown {
  try {
    return call()
  } catch {
    return undefined
  }
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

/** What one call of `add` has done so far. */
interface Adding {
  held: Held
  task: Task | undefined
  report: AddReport
  progress: Progress
  signal: AbortSignal
  /** The documents that were cut by letters, because the embedder could not count their tokens. */
  uncounted: { documents: number; error: NidusError | undefined }
}

/** What a call stored. `uncounted` is to be thrown once that is embedded. */
export interface StoredDocuments {
  report: AddReport
  uncounted: NidusError | undefined
}

/**
 * Cuts and stores documents, so that their words are found, and gives the passages that are to be embedded to `task`.
 * If it fails, the documents before are stored, and the error says how many.
 */
export async function storeDocuments<A>(
  held: Held,
  documents: Documents<A>,
  task: Task | undefined,
  progress: Progress,
  given: AbortSignal | undefined,
): Promise<StoredDocuments> {
  const report: AddReport = { added: 0, unchanged: 0, passages: 0, embedded: 0 }
  const end = endOf([held.closed.signal], given)
  const uncounted: Adding['uncounted'] = { documents: 0, error: undefined }
  const adding: Adding = { held, task, report, progress, signal: end.signal, uncounted }
  // A document that comes twice counts as it is last.
  let batch = new Map<string, Document>()
  let units = 0
  let number = 0
  const flush = async () => {
    const all = [...batch.values()]
    batch = new Map()
    units = 0
    if (all.length === 0) return
    // Functions of the caller's cut, which may take long. So nobody waits for them but this call and those after it.
    const cut = cutBatch(adding, all)
    cut.catch(() => {}) // it is awaited below, unless the turn never comes
    await held.inOrder(async () => storeBatch(adding, await cut), end.signal)
  }
  try {
    await forEachOf(documents, end.signal, async (given) => {
      const document = checkDocument(given, number)
      number++
      batch.set(document.id, document)
      units += document.text.length
      if (batch.size >= BATCH.documents || units >= BATCH.units) await flush()
    })
    await flush()
    return { report, uncounted: whyUncounted(uncounted) }
  } catch (error) {
    if (!end.signal.aborted) await flush()
    throw told(error, report, given)
  } finally {
    end.release()
  }
}

/** Returns the error of a call that stored a part of its documents. It says so. */
function told(error: unknown, { added, unchanged }: AddReport, given: AbortSignal | undefined): unknown {
  const stored = added + unchanged
  const text = `The index has ${stored === 1 ? '1 document' : `${stored} documents`} of this call, and not the rest`
  if (given?.aborted) return aborted(given, `aborted. ${text}`)
  if (stored === 0 || !(error instanceof NidusError)) return error
  return Object.assign(new NidusError(error.code, `${error.message}. ${text}`, { cause: error.cause ?? error }))
}

function whyUncounted({ documents, error }: Adding['uncounted']): NidusError | undefined {
  if (!error) return undefined
  const those = documents === 1 ? '1 document is' : `${documents} documents are`
  const text = `${error.message}. ${those} cut by letters instead, and stored. Add them again to cut them by tokens`
  return new NidusError('EMBEDDER_FAILED', text, { cause: error.cause ?? error })
}

/** Cuts those documents of a batch that have changed. */
async function cutBatch(adding: Adding, documents: Document[]): Promise<CutBatch> {
  const { held, signal } = adding
  const ids = documents.map(({ id }) => id)
  const { name } = held.current.settings.chunker
  const cuts: Cut[] = documents.map((document) => ({
    document,
    digest: digestOf(document, name),
    passages: undefined,
  }))
  const firsts = await held.reading(({ store }) => store.firsts(ids), signal)
  const batch: CutBatch = { cuts, failure: undefined }
  await cutAll(
    adding,
    batch,
    cuts.filter((cut, i) => !isThere(cut, firsts[i])),
  )
  return batch
}

async function storeBatch(adding: Adding, batch: CutBatch) {
  const { held, report, progress, task, signal } = adding
  for (;;) {
    const { cuts } = batch
    const written = await held.writing(({ store }) => store.exclusive(() => writeBatch(store, cuts), signal), signal)
    if ('uncut' in written) {
      // Somebody else changed these documents meanwhile.
      await cutAll(adding, batch, written.uncut)
      continue
    }
    report.added += written.added
    report.unchanged += written.unchanged
    report.passages += written.passages
    report.embedded += written.pending.length
    progress.documents = report.added + report.unchanged
    progress.unchanged = report.unchanged
    progress.passages = report.embedded
    task?.add(written.pending)
    if (batch.failure) throw batch.failure.error
    progress.tell()
    return
  }
}

/**
 * Cuts documents of a batch. If a function of the caller's fails for one of them, takes it and those behind it out of
 * the batch, which remembers the error.
 */
async function cutAll({ held, signal, uncounted }: Adding, batch: CutBatch, uncut: Cut[]) {
  for (const cut of uncut)
    try {
      const { document, digest } = cut
      const { chunks, uncounted: error } = await chunksOf(document, held.current.settings, signal)
      cut.passages = passagesOf(document, chunks, error ? byLetters(digest) : digest)
      if (!error) continue
      uncounted.documents++
      uncounted.error = error
    } catch (error) {
      batch.cuts.splice(batch.cuts.indexOf(cut))
      batch.failure = { error }
      return
    }
}

/** A document, and its passages once it is cut. */
interface Cut {
  document: Document
  /** What the index has of the document if it is unchanged. */
  digest: string
  passages: PassageAttrs[] | undefined
}

/** Documents that are written together. `failure`: why others that came with them are not. */
interface CutBatch {
  cuts: Cut[]
  failure: { error: unknown } | undefined
}

/** The digest of a document that was cut by letters. It is another one, so the document is cut anew when it is added. */
const byLetters = (digest: string) => `${digest} by letters`

/** Returns whether the index has a document as it is cut, or as it would be cut. */
const isThere = ({ digest, passages }: Cut, first: Stored | undefined) =>
  first !== undefined && first.attrs._digest === (passages ? passages[0]._digest : digest)

interface Written {
  added: number
  unchanged: number
  passages: number
  pending: string[]
}

/** Writes the passages of documents that have changed. Writes nothing if some of those are not cut yet. */
async function writeBatch(store: PassageStore, cuts: Cut[]): Promise<Written | { uncut: Cut[] }> {
  const firsts = await store.firsts(cuts.map(({ document }) => document.id))
  const unchanged: Stored[] = []
  const changed = cuts.flatMap((cut, i) => {
    const first = firsts[i]
    if (!isThere(cut, first)) return [{ cut, before: first?.attrs }]
    unchanged.push(first!)
    return []
  })
  const uncut = changed.map(({ cut }) => cut).filter(({ passages }) => !passages)
  if (uncut.length > 0) return { uncut }
  const written: Written = { added: changed.length, unchanged: unchanged.length, passages: 0, pending: [] }
  const records: RecordInput[] = []
  const surplus: string[] = []
  const shorter: string[] = []
  for (const { cut, before } of changed) {
    const { document } = cut
    const passages = cut.passages!
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
      const waits = !vector && hasMeaning(attrs)
      if (waits) written.pending.push(id)
      records.push({
        id,
        vector: vector ?? new Float32Array(store.db.dimension),
        attrs: waits ? { ...attrs, _pending: true } : attrs,
      })
    }
    written.passages += passages.length
  }
  await store.write(records, surplus, shorter)
  written.pending.push(...(await waiting(store, unchanged)))
  return written
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
