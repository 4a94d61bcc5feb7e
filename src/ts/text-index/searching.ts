import { checkSignal } from '../arguments/input.js'
import { searchFirstWords } from '../arguments/long-question.js'
import { checkOptions, oneOf } from '../arguments/options.js'
import { withTook } from '../core/wire.js'
import { NidusError, aborted, invalid } from '../errors/errors.js'
import type { Hit, Hits, QuestionOptions } from '../types/index.js'
import type { DocumentHit, Embedder, FoundPassage, TextHits, TextSearchOptions } from '../types/text-index.js'
import type { TextMatch } from '../types/text.js'
import type { Current, Held } from './current.js'
import { EMBEDDED, searchHalfEmbedded } from './half-embedded.js'
import { SEARCH } from './keys.js'
import type { PassageStore } from './passage-store.js'
import type { Questions } from './questions.js'
import { COLLECTION, and, attrsOf, passageOf, type PassageAttrs } from './records.js'
import { calling, endOf } from './waiting.js'

const WAYS = ['hybrid', 'words', 'meaning'] as const

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

/** Returns the share of the passages that is embedded. */
async function shareOf(store: PassageStore): Promise<number> {
  const { passages, pending } = await store.counts()
  if (passages === 0 || !store.remembered.model) return 0
  return (passages - pending) / passages
}

/** Does a search. If the model is changed meanwhile, the question gets a vector of the new one. */
export async function searchDocuments<A>(held: Held, asked: Asked<A>): Promise<TextHits<A>> {
  const { question, by, options } = asked
  const { signal, onWords } = options
  const end = endOf([held.closed.signal], signal, (signal) => aborted(signal, 'the search was aborted'))
  const words = (why?: Error) =>
    held.reading((current) => answer<A>(current, asked, 'words', undefined, why), end.signal)
  try {
    const share = await held.reading(({ store }) => shareOf(store), end.signal)
    if (question.trim() === '') return withTook(Object.assign([], { by, embedded: share }), 0)
    if (by === 'words' || (by === 'hybrid' && share === 0)) return await words()
    for (let told = false; ; told = true) {
      const { questions, replaced } = held.current
      const both = endOf([end.signal, replaced.signal])
      try {
        const vector = questions!.vector(question, both.signal)
        if (by === 'hybrid' && onWords && !told) await tellWords(vector, words, onWords)
        const found = await withVector<A>(held, asked, questions!, await vector, end.signal)
        if (found) return found
      } catch (error) {
        if (end.signal.aborted) throw end.signal.reason
        if (replaced.signal.aborted && !(error instanceof NidusError && error.code === 'CALLBACK_FAILED')) continue
        // Words answer without the model. The answer tells why it is one of words alone.
        if (by === 'meaning' || !(error instanceof NidusError) || error.code !== 'EMBEDDER_FAILED') throw error
        return await words(error)
      } finally {
        both.release()
      }
    }
  } finally {
    end.release()
  }
}

/** Tells the answer of words, if it is there before the vector. */
async function tellWords<A>(
  vector: Promise<Float32Array>,
  words: () => Promise<TextHits<A>>,
  onWords: (hits: TextHits<A>) => void,
) {
  let late = false
  const arrived = () => void (late = true)
  void vector.then(arrived, arrived)
  const hits = await words()
  if (!late) calling('search: `onWords`', () => onWords(hits))
}

/** Searches with the vector of a question. Returns undefined if the store has vectors of another model by now. */
const withVector = <A>(
  held: Held,
  asked: Asked<A>,
  questions: Questions,
  vector: Float32Array,
  signal: AbortSignal,
): Promise<TextHits<A> | undefined> =>
  held.reading(
    async (current) => (current.questions === questions ? answer<A>(current, asked, asked.by, vector) : undefined),
    signal,
  )

async function answer<A>(
  { store }: Current,
  { question, passages, options }: Asked<A>,
  by: Asked<A>['by'],
  vector: Float32Array | undefined,
  embedderError?: Error,
): Promise<TextHits<A>> {
  const shape = questionOptions(options, by, passages)
  const share = await shareOf(store)
  let took = 0
  const timed = async (search: Promise<Hits<unknown>>) => {
    const hits = await search
    took += hits.took ?? 0
    return hits as Hit<PassageAttrs>[]
  }
  const found = async (): Promise<Hit<PassageAttrs>[]> => {
    if (by === 'meaning') return timed(store.db.search(vector!, shape))
    // Somebody may ask with a whole paragraph. Its vector stands for all of it.
    return searchFirstWords(question, (text) => {
      const search = (vector: Float32Array | undefined, options: QuestionOptions) =>
        timed(store.db.search({ text, ...(vector && { vector }) }, options))
      const { topK, offset = 0, minScore = 0 } = shape
      // What is wrong with the numbers is said by the store.
      const numbers = Number.isInteger(topK) && Number.isInteger(offset) && offset >= 0 && Number.isFinite(minScore)
      return by === 'hybrid' && share < 1 && numbers
        ? searchHalfEmbedded(search, vector!, { ...shape, offset })
        : search(by === 'hybrid' ? vector : undefined, shape)
    })
  }
  const hits = documentsOf<A>(await found())
  const facts = { by, embedded: await shareOf(store), ...(embedderError && { embedderError }) }
  return withTook(Object.assign(hits, facts), took)
}

function questionOptions<A>(
  { topK = 10, offset, minScore, filter, fusion, match, prefix, fuzzy, forms, signal }: TextSearchOptions<A>,
  by: Asked<A>['by'],
  passages: number,
): QuestionOptions & { topK: number; groupBy: { key: string; size: number } } {
  // A passage without a vector has no meaning yet. Its vector of zeros would be as near as an unrelated one.
  const only = by === 'meaning' ? and(EMBEDDED, filter) : filter
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
