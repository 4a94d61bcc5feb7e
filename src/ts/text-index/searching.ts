import { checkSignal } from '../arguments/input.js'
import { searchFirstWords } from '../arguments/long-question.js'
import { checkOptions, oneOf } from '../arguments/options.js'
import { NidusError, aborted, invalid } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'
import type { Hit, Nidus, QuestionOptions } from '../types/index.js'
import type { DocumentHit, Embedder, FoundPassage, TextHits, TextSearchOptions } from '../types/text-index.js'
import type { TextMatch } from '../types/text.js'
import { embed } from './embedder.js'
import { SEARCH } from './keys.js'
import { COLLECTION, attrsOf, passageOf, type PassageAttrs } from './records.js'

/** The number of questions whose vectors are kept. Somebody who types back and forth asks some of them again. */
const KEPT = 64
const WAYS = ['hybrid', 'words', 'meaning'] as const

/** Makes the vectors of questions, and keeps the latest. */
export class Questions {
  readonly #embedder: Embedder
  readonly #kept = new Map<string, Promise<Float32Array>>()

  constructor(embedder: Embedder) {
    this.#embedder = embedder
  }

  /** Returns the vector of a question. An aborted question is made to its end, since another call may wait for it. */
  vector(question: string): Promise<Float32Array> {
    const known = this.#kept.get(question)
    if (known) return known
    const made = embed(this.#embedder, [question], { kind: 'query' })
    this.#kept.set(question, made)
    made.catch(() => this.#kept.delete(question))
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    return made
  }
}

/** Settles as `promise` does, or rejects when the signal is aborted. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const stop = () => reject(aborted(signal, 'the search was aborted'))
    if (signal.aborted) return stop()
    promise.then(resolve, reject).finally(onAbort(signal, stop))
  })
}

export interface Asked<A> {
  question: string
  by: (typeof WAYS)[number]
  passages: number
  options: TextSearchOptions<A>
}

/** Checks a question before anything is done. */
export function checkSearch<A>(question: unknown, given: unknown, embedder: Embedder | undefined): Asked<A> {
  if (typeof question !== 'string') throw invalid(`search: the question is a text, not ${typeof question}`)
  const options = checkOptions(given as TextSearchOptions<A>, SEARCH, 'search') as TextSearchOptions<A>
  const { by = embedder ? 'hybrid' : 'words', passages = 1, onWords } = options
  oneOf(by, 'search: `by`', WAYS)
  checkSignal(options.signal)
  if (by !== 'words' && !embedder)
    throw invalid(`search: \`by: '${by}'\` needs an embedder: give one to TextIndex.open`)
  if (!Number.isInteger(passages) || passages < 1)
    throw invalid(`search: \`passages\` is a whole number from 1, not ${String(passages)}`)
  if (onWords !== undefined && typeof onWords !== 'function') throw invalid('search: `onWords` is a function')
  return { question, by, passages, options }
}

/** Does a search. `share` returns the share of the passages that is embedded. */
export async function searchDocuments<A>(
  db: () => Nidus,
  { question, by, passages, options }: Asked<A>,
  questions: Questions | undefined,
  share: () => Promise<number>,
): Promise<TextHits<A>> {
  const { signal, onWords } = options
  const shaped = async (vector: Float32Array | undefined, way: Asked<A>['by'], embedderError?: Error) => {
    const shape = questionOptions(options, way, passages)
    const found = await (way === 'meaning'
      ? db().search(vector!, shape)
      : // Somebody may ask with a whole paragraph. Its vector stands for all of it.
        searchFirstWords(question, (text) =>
          db().search({ text, ...(way === 'hybrid' && { vector: vector! }) }, shape),
        ))
    const hits = documentsOf<A>(found as unknown as Hit<PassageAttrs>[])
    return Object.assign(hits, { by: way, embedded: await share(), ...(embedderError && { embedderError }) })
  }
  if (question.trim() === '') return Object.assign([], { by, embedded: await share() })
  if (by === 'words' || (by === 'hybrid' && (await share()) === 0)) return shaped(undefined, 'words')
  const vector = unlessAborted(questions!.vector(question), signal)
  if (by === 'hybrid' && onWords) {
    let late = false
    void vector.then(
      () => (late = true),
      () => (late = true),
    )
    const words = await shaped(undefined, 'words')
    if (!late) onWords(words)
  }
  try {
    return await shaped(await vector, by)
  } catch (error) {
    // Words answer without the model. The answer tells why it is one of words alone.
    if (by === 'meaning' || !(error instanceof NidusError) || error.code !== 'EMBEDDER_FAILED') throw error
    return shaped(undefined, 'words', error)
  }
}

function questionOptions<A>(
  { topK = 10, offset, minScore, filter, fusion, match, prefix, fuzzy, forms, signal }: TextSearchOptions<A>,
  by: Asked<A>['by'],
  passages: number,
): QuestionOptions {
  // A passage without a vector has no meaning yet. Its vector of zeros would be as near as an unrelated one.
  const embedded = { _pending: { $exists: false } }
  const only = by !== 'meaning' ? filter : filter ? { $and: [embedded, filter] } : embedded
  const fused = by === 'hybrid' ? fusion : undefined
  const words = by === 'meaning' ? {} : { highlight: true, fusion: fused, match, prefix, fuzzy, forms }
  return {
    collections: COLLECTION,
    topK,
    groupBy: { key: '_doc', size: passages },
    offset,
    minScore,
    filter: only,
    signal,
    ...words,
  }
}

/** Puts the passages of an answer together to documents. Passages of a document lie next to each other. */
function documentsOf<A>(hits: Hit<PassageAttrs>[]): DocumentHit<A>[] {
  const documents: DocumentHit<A>[] = []
  for (const { score, attrs, matches } of hits) {
    const passage: FoundPassage = { ...passageOf(attrs), score, matches: (matches?.text as TextMatch[]) ?? [] }
    const last = documents[documents.length - 1]
    if (last?.id === attrs._doc) last.passages.push(passage)
    else
      documents.push({
        id: attrs._doc,
        title: attrs.title,
        attrs: attrsOf<A>(attrs),
        score,
        passage,
        passages: [passage],
        titleMatches: (matches?.title as TextMatch[]) ?? [],
      })
  }
  return documents
}
