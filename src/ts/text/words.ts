import { checkFields } from '../arguments/fields.js'
import type { OwnStatistics, QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { Indexed } from './index-keeper.js'
import { best, has, type Ranked } from './ranked.js'
import { Question, type Scored } from './text-core.js'

interface Searched {
  indexed: Indexed
  /** The weight of each field of the index, and 0 for a field that is not searched. */
  weights: Float64Array
}

/** The words of a question, and the indexes in which they are looked for. `free` ends it. */
export class Words {
  readonly #host: TextHost
  readonly #searched: Searched[]
  readonly question: Question

  private constructor(host: TextHost, question: Question, searched: Searched[]) {
    this.#host = host
    this.question = question
    this.#searched = searched
  }

  /**
   * Returns undefined if the text has no words. Throws INVALID_ARGUMENT if no collection of the search has settings, or
   * if none has one of the fields. If statistics of several stores are given, this store need not have settings.
   */
  static of(host: TextHost, args: QueryArgs, indexes: ReadonlyMap<string, Indexed | Error>): Words | undefined {
    const { statistics } = args
    const question = questionOf(host, args)
    let words: Words | undefined
    try {
      if (!question.hasWords) return undefined
      const { searched, known } = searchedBy(args, indexes)
      if (typeof statistics === 'object') {
        if (statistics.fields.length === 0) return undefined
        for (const [name, numbers] of statistics.fields) host.run(() => question.setNumbers(name, numbers))
        question.among(statistics.documents)
      } else {
        checkFields(known, args)
        if (searched.length === 0) return undefined
        count(host, args, question, searched)
      }
      return (words = new Words(host, question, searched))
    } finally {
      if (!words) question.free()
    }
  }

  /** Returns the numbers that the scores depend on, for this store alone. */
  static count(host: TextHost, args: QueryArgs, indexes: ReadonlyMap<string, Indexed | Error>): OwnStatistics {
    const question = questionOf(host, args)
    try {
      const { searched, known, settings } = searchedBy(args, indexes)
      const documents = count(host, args, question, searched)
      if (!question.hasWords) return { documents, fields: [], known: undefined, settings }
      const names = searched.flatMap(({ indexed, weights }) => indexed.names.filter((_, i) => weights[i] > 0))
      return {
        documents,
        fields: [...new Set(names)].map((name) => [name, question.numbers(name)]),
        known,
        settings,
      }
    } finally {
      question.free()
    }
  }

  /** Returns the `most` best documents, of those in the set. */
  best(most: number, among: Uint16Array | undefined): Ranked {
    const parts = this.#searched.map(({ indexed, weights }) =>
      taken(this.question.best(indexed.index, weights, most, among)),
    )
    return best(this.#host, joined(parts), most)
  }

  /** Returns all documents that match, of those in the set, in no order. */
  all(among: Uint16Array | undefined): Ranked {
    const all = joined(this.#searched.map(({ indexed, weights }) => taken(this.question.all(indexed.index, weights))))
    if (!among) return all
    const within = (_: number, i: number) => has(among, all.docs[i]) === 1
    return { docs: all.docs.filter(within), scores: all.scores.filter(within) }
  }

  /** The fields of a collection that are searched. */
  fieldsOf(collection: string): string[] {
    const found = this.#searched.find(({ indexed }) => indexed.collection === collection)
    return found ? found.indexed.names.filter((_, i) => found.weights[i] > 0) : []
  }

  free() {
    this.question.free()
  }
}

function taken(scored: Scored): Ranked {
  const { docs, scores } = scored
  scored.free()
  return { docs, scores }
}

function joined(parts: Ranked[]): Ranked {
  if (parts.length === 1) return parts[0]
  const count = parts.reduce((sum, { docs }) => sum + docs.length, 0)
  const all: Ranked = { docs: new Uint32Array(count), scores: new Float64Array(count) }
  let at = 0
  for (const { docs, scores } of parts) {
    all.docs.set(docs, at)
    all.scores.set(scores, at)
    at += docs.length
  }
  return all
}

function questionOf({ run }: TextHost, { text, matchAll, prefix, fuzzy, forms }: QueryArgs): Question {
  return run(() => new Question(text!, matchAll, prefix, fuzzy, forms === 'en'))
}

/** Gives a question its statistics. Returns the number of all documents in the searched collections. */
function count({ store, run }: TextHost, args: QueryArgs, question: Question, searched: Searched[]): number {
  for (const { indexed, weights } of searched) question.count(indexed.index, weights)
  const all = new Uint8Array(0)
  const names = args.collections ?? [undefined]
  const documents = names.reduce((sum, name) => sum + run(() => store.count(name, all)), 0)
  question.among(documents)
  return documents
}

function searchedBy({ collections, fields }: QueryArgs, indexes: ReadonlyMap<string, Indexed | Error>) {
  // Sorted, so that the order of the sums does not depend on which collection got its settings first.
  const found = [...indexes]
    .filter(([name]) => !collections || collections.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const searched: Searched[] = []
  const known = new Set<string>()
  const sources: string[] = []
  for (const [name, indexed] of found) {
    if (!(indexed instanceof Indexed)) throw indexed
    for (const field of indexed.names) known.add(field)
    sources.push(name, indexed.source)
    const weights = Float64Array.from(indexed.names, (field) =>
      !fields || fields.includes(field) ? indexed.settings[field].weight : 0,
    )
    if (weights.some((weight) => weight > 0)) searched.push({ indexed, weights })
  }
  return { searched, known: [...known], settings: JSON.stringify(sources) }
}
