import { NidusError, invalid, messageOf } from '../errors/errors.js'
import type { Nidus, Query, Vector } from '../types/index.js'
import type { LiveOptions, Searchable } from '../types/live.js'
import type { Checked } from './options.js'
import { isNumbers } from './same.js'
import { isIndex } from './source.js'

export type Question = string | Vector | Query | null | undefined
type Embed = NonNullable<LiveOptions['embed']>
type Answer = unknown[]

export const isEmpty = (question: Question): boolean =>
  question === null ||
  question === undefined ||
  (typeof question === 'string'
    ? question.trim() === ''
    : 'text' in question && !question.vector && typeof question.text === 'string' && question.text.trim() === '')

const embedFailed = (what: string, cause?: unknown) =>
  new NidusError('EMBEDDER_FAILED', `\`embed\` ${what}`, cause === undefined ? undefined : { cause })

const isVector = (value: unknown): value is Vector =>
  typeof value === 'object' &&
  value !== null &&
  (Array.isArray(value) || isNumbers(value)) &&
  (value as number[]).every(Number.isFinite)

/** Makes the vectors of questions, one at a time, and keeps the last one. */
export class Vectors {
  #text: string | undefined
  #vector: Vector | undefined
  #running: Promise<unknown> = Promise.resolve()

  known(text: string): Vector | undefined {
    return this.#text === text ? this.#vector : undefined
  }

  async make(text: string, embed: Embed, dimension: number | undefined, signal: AbortSignal): Promise<Vector> {
    // All but the latest of those that wait were aborted, and end here.
    await this.#running
    signal.throwIfAborted()
    const made = (async () => embed(text, { signal }))()
    this.#running = made.catch(() => {})
    let vector: Vector
    try {
      vector = await made
    } catch (error) {
      if (signal.aborted || error instanceof NidusError) throw error
      throw embedFailed(`failed: ${messageOf(error)}`, error)
    }
    if (!isVector(vector)) throw embedFailed('returned no vector of finite numbers')
    if (dimension !== undefined && vector.length !== dimension)
      throw embedFailed(`returned ${vector.length} numbers, and the store has vectors of ${dimension}`)
    this.#vector = vector
    this.#text = text
    return vector
  }
}

/** Asks a source. `onWords` is called with the answer of words, if it comes before the whole one. */
export async function ask(
  source: Searchable,
  question: NonNullable<Question>,
  { own: { embed, wordsFirst }, asked: { by, ...options } }: Checked,
  vectors: Vectors,
  signal: AbortSignal,
  onWords: (hits: Answer) => void,
): Promise<Answer> {
  if (isIndex(source)) {
    if (embed) throw invalid('a TextIndex has an embedder of its own: leave `embed` away, or search its `db`')
    const more = { ...(by && { by }), ...(wordsFirst && { onWords }), signal }
    return source.search(question as string, { ...options, ...more })
  }
  const search = (query: Vector | Query) =>
    (source as Nidus).search(query as Query & { text: string }, { ...options, signal })
  if (typeof question !== 'string') return search(question)
  const text = question
  /** Words answer without the model, as in a TextIndex. If they cannot, the model's error counts. */
  const wordsAlone = async (embedderError: NidusError) => {
    const hits = await search({ text }).catch(() => {
      throw embedderError
    })
    return Object.assign(hits, { by: 'words', embedderError })
  }
  if (by !== 'words' && by !== undefined && !embed) throw invalid(`\`by: '${by}'\` needs \`embed\` for a text`)
  if (!embed || by === 'words') return search({ text })
  let vector = vectors.known(text)
  if (!vector) {
    const made = vectors.make(text, embed, (source as Nidus).dimension, signal)
    if (wordsFirst && by !== 'meaning') {
      let whole = false
      const over = () => void (whole = true)
      made.then(over, over)
      // If words cannot be searched, the whole question says so.
      search({ text }).then(
        (hits) => !whole && !signal.aborted && onWords(hits),
        () => {},
      )
    }
    try {
      vector = await made
    } catch (error) {
      if (by === 'meaning' || !(error instanceof NidusError) || error.code !== 'EMBEDDER_FAILED') throw error
      return wordsAlone(error)
    }
    signal.throwIfAborted()
  }
  return search(by === 'meaning' ? vector : { text, vector })
}
