// The runners of the race. Each gets the same rows, and returns a function that answers one question with its best 10.
import { create, insertMultiple, search as askOrama } from '@orama/orama'
import MiniSearch from 'minisearch'
import { Nidus } from 'nidus-wasm'
import type { Lane } from './protocol'

export const DIMENSION = 384
const TOP = 10

export interface Rows {
  ids: string[]
  titles: string[]
  abouts: string[]
  vectors: Float32Array
  questions: { text: string; vector: Float32Array }[]
}

export interface Runner {
  lane: Lane
  name: string
  ours: boolean
  prepare(rows: Rows): Promise<{ ask(question: number): unknown; end?(): unknown }>
}

/** The dot product, with four sums at a time, which processors add up side by side. */
function dot(rows: Float32Array, from: number, vector: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let n = 0; n < DIMENSION; n += 4) {
    a += rows[from + n]! * vector[n]!
    b += rows[from + n + 1]! * vector[n + 1]!
    c += rows[from + n + 2]! * vector[n + 2]!
    d += rows[from + n + 3]! * vector[n + 3]!
  }
  return a + b + c + d
}

/** What anybody would write: one loop over all numbers, and a short list of the best. */
const loop: Runner = {
  lane: 'vectors',
  name: 'JavaScript loop',
  ours: false,
  async prepare({ vectors, questions, ids }) {
    // The rows have unit length, so that the dot product is the cosine, as a careful author would do it.
    const unit = vectors.slice()
    for (let from = 0; from < unit.length; from += DIMENSION) {
      const length = Math.hypot(...unit.subarray(from, from + DIMENSION))
      for (let n = from; n < from + DIMENSION; n++) unit[n]! /= length
    }
    const ask = (question: number) => {
      const { vector } = questions[question]!
      const best: { id: string; score: number }[] = []
      for (let row = 0; row < ids.length; row++) {
        const score = dot(unit, row * DIMENSION, vector)
        if (best.length === TOP && score <= best[TOP - 1]!.score) continue
        best.push({ id: ids[row]!, score })
        best.sort((a, b) => b.score - a.score)
        best.length = Math.min(best.length, TOP)
      }
      return best
    }
    return { ask }
  },
}

const oramaVectors: Runner = {
  lane: 'vectors',
  name: 'Orama',
  ours: false,
  async prepare({ ids, vectors, questions }) {
    const db = create({ schema: { vector: 'vector[384]' } as const })
    const records = ids.map((id, n) => ({
      id,
      vector: Array.from(vectors.subarray(n * DIMENSION, (n + 1) * DIMENSION)),
    }))
    await insertMultiple(db, records, 2000)
    const lists = questions.map(({ vector }) => Array.from(vector))
    return {
      ask: (question) =>
        askOrama(db, {
          mode: 'vector',
          vector: { value: lists[question]!, property: 'vector' },
          similarity: 0,
          limit: TOP,
        }),
    }
  },
}

const oramaWords: Runner = {
  lane: 'words',
  name: 'Orama',
  ours: false,
  async prepare({ ids, titles, abouts, questions }) {
    const db = create({ schema: { title: 'string', about: 'string' } as const })
    await insertMultiple(
      db,
      ids.map((id, n) => ({ id, title: titles[n]!, about: abouts[n]! })),
      2000,
    )
    return { ask: (question) => askOrama(db, { term: questions[question]!.text, limit: TOP, threshold: 1 }) }
  },
}

const miniSearch: Runner = {
  lane: 'words',
  name: 'MiniSearch',
  ours: false,
  async prepare({ ids, titles, abouts, questions }) {
    const index = new MiniSearch({ fields: ['title', 'about'] })
    index.addAll(ids.map((id, n) => ({ id, title: titles[n], about: abouts[n] })))
    return { ask: (question) => index.search(questions[question]!.text).slice(0, TOP) }
  },
}

/** Ours, as a page uses it: the store is in a worker of its own, and the time has the message there and back. */
function nidus(lane: Lane, worker: () => Worker): Runner {
  return {
    lane,
    name: 'nidus-wasm',
    ours: true,
    async prepare({ ids, titles, abouts, vectors, questions }) {
      const db = await Nidus.open(`race ${lane}`, { storage: 'memory', dimension: DIMENSION, worker })
      await db.createCollection('rows', lane === 'words' ? { text: ['title', 'about'] } : {})
      const attrs = ids.map((_, n) => ({ title: titles[n]!, about: abouts[n]! }))
      await db.upsert('rows', { ids, vectors, attrs })
      return {
        ask: (question) => {
          const { text, vector } = questions[question]!
          return lane === 'words' ? db.search({ text }, { topK: TOP }) : db.search(vector, { topK: TOP })
        },
        end: () => db.close(),
      }
    },
  }
}

export const runners = (worker: () => Worker): Runner[] => [
  loop,
  oramaVectors,
  nidus('vectors', worker),
  miniSearch,
  oramaWords,
  nidus('words', worker),
]
