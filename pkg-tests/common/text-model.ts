import type { Attrs } from 'nidus-wasm'
import { byBytes, cosine } from './model'

/** The constants of BM25. */
const K1 = 1.2
const B = 0.75

export interface TextDoc {
  vector: Float32Array
  attrs: Attrs
}
export interface TextCollection {
  docs: Map<string, TextDoc>
  /** The weight of each field, if the collection has settings. */
  text: { [field: string]: number } | undefined
}
export interface ModelHit {
  collection: string
  id: string
  score: number
  vectorScore?: number
  textScore?: number
  attrs: Attrs
}
export interface ModelOptions {
  collections?: string[]
  fields?: string[]
  keep?: (attrs: Attrs) => boolean
  matchAll?: boolean
  fusion?: { text: number } | 'rrf'
}

/**
 * Returns the words of a value. It is right only for texts of lower-case letters and blanks. Other texts are tested
 * elsewhere.
 */
const wordsOf = (value: unknown): string[] =>
  (typeof value === 'string' ? [value] : Array.isArray(value) ? (value as string[]) : []).flatMap((text) =>
    text.split(/[^a-z]+/).filter((word) => word),
  )

/** Finds words and vectors in the simplest way: it counts everything anew for each question. */
export class TextModel {
  readonly all = new Map<string, TextCollection>()

  collection(name: string): TextCollection {
    let found = this.all.get(name)
    if (!found) this.all.set(name, (found = { docs: new Map(), text: undefined }))
    return found
  }

  /** Returns all documents that are found, best first. */
  search(question: { text?: string; vector?: Float32Array }, options: ModelOptions = {}): ModelHit[] {
    const { collections = [...this.all.keys()], keep = () => true, fusion = { text: 0.4 } } = options
    const scope = collections.flatMap((name) => {
      const collection = this.all.get(name)
      return [...(collection?.docs ?? [])].map(([id, doc]) => ({
        collection: name,
        id,
        ...doc,
        text: collection!.text,
      }))
    })
    const words = [...new Set(wordsOf(question.text))]
    const weight = (text: TextCollection['text'], field: string) =>
      !options.fields || options.fields.includes(field) ? (text?.[field] ?? 0) : 0
    const settings = collections.flatMap((name) => [this.all.get(name)?.text]).filter((text) => text !== undefined)
    const fields = [...new Set(settings.flatMap((text) => Object.keys(text)))]
    const lists = new Map(
      fields.map((field) => [
        field,
        scope.map(({ attrs, text }) => (weight(text, field) ? wordsOf(attrs[field]) : [])),
      ]),
    )
    const N = scope.length
    const idf = (field: string, word: string) => {
      const df = lists.get(field)!.filter((list) => list.includes(word)).length
      return Math.log(1 + (N - df + 0.5) / (df + 0.5))
    }
    const bm25 = scope.map((doc, at) => {
      if (options.matchAll && !words.every((word) => fields.some((field) => lists.get(field)![at]!.includes(word))))
        return 0
      let sum = 0
      for (const field of fields) {
        const all = lists.get(field)!
        const mean = all.reduce((total, list) => total + list.length, 0) / N
        for (const word of words) {
          const count = all[at]!.filter((other) => other === word).length
          if (count > 0)
            sum +=
              (weight(doc.text, field) * idf(field, word) * count * (K1 + 1)) /
              (count + K1 * (1 - B + (B * all[at]!.length) / mean))
        }
      }
      return sum
    })
    let ceiling = 0
    for (const field of fields) {
      const most = Math.max(...settings.map((text) => weight(text, field)))
      for (const word of words) if (most > 0) ceiling += most * idf(field, word) * (K1 + 1)
    }
    const hits = scope
      .map(({ collection, id, attrs, vector }, at): ModelHit & { text: number } => ({
        collection,
        id,
        attrs,
        score: 0,
        text: bm25[at]!,
        ...(question.vector && { vectorScore: cosine(question.vector, vector) }),
        ...(words.length > 0 && { textScore: bm25[at]! }),
      }))
      .filter(({ attrs }) => keep(attrs))
    const ranked = (score: (hit: ModelHit) => number) =>
      [...hits].sort((a, b) => score(b) - score(a) || byBytes(a.collection, b.collection) || byBytes(a.id, b.id))
    if (!question.vector) {
      for (const hit of hits) hit.score = hit.textScore ?? 0
      return ranked(({ score }) => score).filter(({ score }) => score > 0)
    }
    if (words.length === 0) for (const hit of hits) hit.score = hit.vectorScore!
    else if (fusion === 'rrf') {
      ranked(({ vectorScore }) => vectorScore!).forEach((hit, rank) => (hit.score += 1 / (60 + rank + 1)))
      ranked(({ textScore }) => textScore!)
        .filter(({ textScore }) => textScore! > 0)
        .forEach((hit, rank) => (hit.score += 1 / (60 + rank + 1)))
    } else
      for (const hit of hits)
        hit.score =
          (1 - fusion.text) * Math.max(0, hit.vectorScore!) + (ceiling > 0 ? (fusion.text * hit.text) / ceiling : 0)
    return ranked(({ score }) => score)
  }
}

/** Checks that a list of hits is the part of the model's ranking from `offset` on. */
export function sameAnswer(
  got: { collection: string; id: string; score: number; vectorScore?: number; textScore?: number }[],
  ranking: ModelHit[],
  topK: number,
  offset = 0,
) {
  const want = ranking.slice(offset, offset + topK)
  if (got.length !== want.length) throw new Error(`${got.length} hits instead of ${want.length}`)
  const known = new Map(ranking.map((hit) => [`${hit.collection} ${hit.id}`, hit]))
  const near = (a: number | undefined, b: number | undefined, by: number, what: string) => {
    if ((a === undefined) !== (b === undefined) || Math.abs((a ?? 0) - (b ?? 0)) > by)
      throw new Error(`${what} is ${a} instead of ${b}`)
  }
  for (const [i, hit] of got.entries()) {
    const own = known.get(`${hit.collection} ${hit.id}`)
    if (!own) throw new Error(`hit ${i}: ${hit.id} should not be found`)
    near(hit.score, want[i]!.score, 1e-6, `hit ${i} (${hit.id}): the score at this place`)
    near(hit.score, own.score, 1e-6, `hit ${i} (${hit.id}): its score`)
    near(hit.vectorScore, own.vectorScore, 1e-5, `hit ${i}: vectorScore`)
    near(hit.textScore, own.textScore, 1e-9, `hit ${i}: textScore`)
    const before = got[i - 1]
    if (
      before &&
      (byBytes(before.collection, hit.collection) || byBytes(before.id, hit.id)) > 0 &&
      before.score === hit.score
    )
      throw new Error(`hit ${i}: ${before.id} before ${hit.id}, with equal scores`)
  }
}
