import { Nidus, type Attrs, type CloseReason, type Filter, type Footprint, type Persistence } from 'nidus-wasm'
import file from 'nidus-wasm/worker?worker&url'
import { confined } from '../confined'

export const worker = () => confined(file, 'store')

/** A question: words, a vector, or both. */
export interface Question {
  text: string
  vector?: Float32Array | undefined
  /** The share of the meaning in the score, from 0 to 1. The rest is that of the words. */
  meaning: number
  /** Whether the last word may be the beginning of a longer one, as while somebody types. */
  typing?: boolean
}

export interface FoundHit<A> {
  id: string
  score: number
  /** The parts of the score, which add up to it. */
  parts: { words: number; meaning: number }
  /** The cosine of the question's vector. Undefined if the question had none. */
  cosine: number | undefined
  attrs: A
  /** The places of the words in the attributes. */
  matches: { [field: string]: unknown }
}

export interface Facts extends Footprint {
  storage: string
  persistence: Persistence
}

/** One open store with one collection, in which words and meanings are found. */
export class Finder<A extends Attrs> {
  readonly closed: Promise<CloseReason>
  #persistence = Nidus.persistence()

  constructor(
    readonly db: Nidus<A>,
    readonly collection: string,
  ) {
    this.closed = db.closed
  }

  close() {
    return this.db.close()
  }

  /** Asks the browser to keep the data. */
  askToKeep() {
    this.#persistence = Nidus.persistence({ request: true })
  }

  async facts(): Promise<Facts> {
    const [footprint, persistence] = await Promise.all([this.db.footprint(), this.#persistence])
    return { ...footprint, storage: this.db.storage, persistence }
  }

  async ask({ text, vector, meaning, typing }: Question, filter?: Filter<A>, topK = 20) {
    const db = this.db as unknown as Nidus // the types of the attributes say nothing to a generic class
    const options = { topK, ...(filter && { filter: filter as Filter }) }
    const began = performance.now()
    const found = text.trim()
      ? await db.search(
          { text, ...(vector && { vector }) },
          {
            ...options,
            highlight: true,
            forms: 'en',
            prefix: !!typing,
            ...(vector && { fusion: { text: 1 - meaning } }),
          },
        )
      : await db.search(vector ?? new Float32Array(this.db.dimension), options)
    const milliseconds = performance.now() - began
    const most = Math.max(...found.map(({ score }) => score), 1e-9)
    const hits = found.map(({ id, score, attrs, vectorScore, textScore, matches }): FoundHit<A> => {
      const cosine = vector ? (vectorScore ?? score) : undefined
      // Without a vector a score is BM25, which has no upper end. The best hit then counts as 1.
      const part = !text.trim() ? score : vector ? meaning * Math.max(0, cosine ?? 0) : 0
      const whole = vector ? score : score / most
      const words = textScore ? Math.max(0, whole - part) : 0
      return {
        id,
        score: whole,
        parts: { words, meaning: part },
        cosine,
        attrs: attrs as unknown as A,
        matches: matches ?? {},
      }
    })
    return { hits, milliseconds, engine: found.took }
  }

  async vector(id: string): Promise<Float32Array | undefined> {
    return (await this.db.get(this.collection as never, [id]))[0]?.vector
  }
}
