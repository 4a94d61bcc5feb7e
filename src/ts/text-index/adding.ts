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
async function forEachOf(
  documents: Iterable<unknown> | AsyncIterable<unknown>,
  signal: AbortSignal,
  each: (given: unknown) => Promise<void>,
) {
  const what = 'add: the iterable of documents'
  const begin = (): AsyncIterator<unknown> | Iterator<unknown> =>
    Symbol.asyncIterator in documents ? documents[Symbol.asyncIterator]() : documents[Symbol.iterator]()
  // Not an async function: an iterator that has a `then` by mistake would be waited for.
  let iterator: ReturnType<typeof begin>
  try {
    iterator = begin()
  } catch (error) {
    throw callbackFailed(what, error)
  }
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
  if (typeof documents !== 'object' || documents === null)
    throw invalid('add: give a document { id, text }, or an iterable of documents')
  const report: AddReport = { added: 0, unchanged: 0, passages: 0, embedded: 0 }
  const end = endOf([held.closed.signal], given)
  const uncounted: Adding['uncounted'] = { documents: 0, error: undefined }
  const adding: Adding = { held, task, report, progress, signal: end.signal, uncounted }
  try {
    if (isEndless(documents)) await storeIterable(adding, documents)
    else await storeList(adding, Array.isArray(documents) ? (documents as unknown[]) : [documents])
    return { report, uncounted: whyUncounted(uncounted) }
  } catch (error) {
    throw told(error, report, given)
  } finally {
    end.release()
  }
}

/** Collects documents until they are enough to be stored together. */
class Batch {
  // A document that comes twice counts as it is last.
  #documents = new Map<string, Document>()
  #units = 0

  add(document: Document) {
    this.#documents.set(document.id, document)
    this.#units += document.text.length
  }

  get isFull() {
    return this.#documents.size >= BATCH.documents || this.#units >= BATCH.units
  }

  take(): Document[] {
    const all = [...this.#documents.values()]
    this.#documents = new Map()
    this.#units = 0
    return all
  }
}

/** Returns whether documents come one by one from something that may never end. */
export const isEndless = (documents: unknown): documents is Iterable<unknown> | AsyncIterable<unknown> =>
  !Array.isArray(documents) &&
  typeof documents === 'object' &&
  documents !== null &&
  (Symbol.asyncIterator in documents || Symbol.iterator in documents)

const idsOf = (documents: Document[]) => documents.map(({ id }) => id)

/** Begins to cut documents. The result is awaited later, or never if something else fails before. */
function cutSoon(adding: Adding, documents: Document[]): Promise<CutBatch> {
  const cut = cutBatch(adding, documents)
  cut.catch(() => {})
  return cut
}

/** Stores documents that are all there. They have their place among all calls at once. */
async function storeList(adding: Adding, given: unknown[]) {
  const batches: Document[][] = []
  const batch = new Batch()
  let failure: { error: unknown } | undefined
  for (const [number, each] of given.entries())
    try {
      batch.add(checkDocument(each, number))
      if (batch.isFull) batches.push(batch.take())
    } catch (error) {
      failure = { error }
      break
    }
  batches.push(batch.take())
  // Functions of the caller's cut, which may take long. So the next documents are cut while others are written.
  let next = cutSoon(adding, batches[0])
  const write = async () => {
    for (const i of batches.keys()) {
      const cut = next
      if (i + 1 < batches.length) next = cutSoon(adding, batches[i + 1])
      await storeBatch(adding, await cut)
    }
  }
  await adding.held.inOrder(batches.flatMap(idsOf), write, adding.signal)
  if (failure) throw failure.error
}

async function storeIterable(adding: Adding, documents: Iterable<unknown> | AsyncIterable<unknown>) {
  const { held, signal } = adding
  const batch = new Batch()
  const flush = async () => {
    const all = batch.take()
    if (all.length === 0) return
    const cut = cutSoon(adding, all)
    await held.inOrder(idsOf(all), async () => storeBatch(adding, await cut), signal)
  }
  let number = 0
  try {
    await forEachOf(documents, signal, async (given) => {
      batch.add(checkDocument(given, number))
      number++
      if (batch.isFull) await flush()
    })
  } catch (error) {
    if (!signal.aborted) await flush()
    throw error
  }
  await flush()
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
  const { name } = held.current.settings.chunker
  const cuts: Cut[] = documents.map((document) => ({
    document,
    digest: digestOf(document, name),
    passages: undefined,
    uncounted: undefined,
  }))
  const firsts = await held.reading(({ store }) => store.firsts(idsOf(documents)), signal)
  const batch: CutBatch = { cuts, failure: undefined }
  await cutAll(
    adding,
    batch,
    cuts.filter((cut, i) => !isThere(cut, firsts[i])),
  )
  return batch
}

async function storeBatch(adding: Adding, batch: CutBatch) {
  const { held, report, progress, task, signal, uncounted } = adding
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
    uncounted.documents += written.uncounted.length
    uncounted.error ??= written.uncounted[0]
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
async function cutAll({ held, signal }: Adding, batch: CutBatch, uncut: Cut[]) {
  for (const cut of uncut)
    try {
      const { document, digest } = cut
      let { current } = held
      let { chunks, uncounted: error } = await chunksOf(document, current.settings, signal)
      // A change of the model closed the embedder that was counting. The new one can count.
      while (error && held.current !== current) {
        current = held.current
        ;({ chunks, uncounted: error } = await chunksOf(document, current.settings, signal))
      }
      cut.passages = passagesOf(document, chunks, error ? byLetters(digest) : digest)
      cut.uncounted = error
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
  /** Why it is cut by letters, if it is. */
  uncounted: NidusError | undefined
}

/** Documents that are written together. `failure`: why others that came with them are not. */
interface CutBatch {
  cuts: Cut[]
  failure: { error: unknown } | undefined
}

/** The digest of a document that was cut by letters. It is another one, so that the document is cut anew when added. */
const byLetters = (digest: string) => `${digest} by letters`

/** Returns whether the index has a document as it would be cut by tokens, or as it is cut now. */
const isThere = ({ digest, passages }: Cut, first: Stored | undefined) =>
  first !== undefined && (first.attrs._digest === digest || first.attrs._digest === passages?.[0]._digest)

interface Written {
  added: number
  unchanged: number
  passages: number
  pending: string[]
  /** For each document that is cut by letters, why. */
  uncounted: NidusError[]
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
  const written: Written = {
    added: changed.length,
    unchanged: unchanged.length,
    passages: 0,
    pending: [],
    uncounted: [],
  }
  const records: RecordInput[] = []
  const surplus: string[] = []
  const shorter: string[] = []
  for (const { cut, before } of changed) {
    const { document } = cut
    const passages = cut.passages!
    if (cut.uncounted) written.uncounted.push(cut.uncounted)
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
