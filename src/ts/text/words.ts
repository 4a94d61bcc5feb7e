import type { QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { NidusError, invalid } from '../errors/errors.js'
import { Indexed } from './follower.js'
import { best, has, type Ranked } from './ranked.js'
import { Question, type Scored } from './text-core.js'

interface Searched {
  indexed: Indexed
  /** By field of the index, 0 for a field that is not searched. */
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
   * none has one of the fields.
   */
  static of(host: TextHost, args: QueryArgs, indexes: ReadonlyMap<string, Indexed | Error>): Words | undefined {
    const { store, run } = host
    const question = run(() => new Question(args.text!, args.matchAll, args.prefix, args.fuzzy, args.forms === 'en'))
    let searched: Searched[] = []
    try {
      if (question.hasWords) searched = searchedBy(args, indexes)
    } finally {
      if (searched.length === 0) question.free()
    }
    if (searched.length === 0) return undefined
    for (const { indexed, weights } of searched) question.count(indexed.index, weights)
    const all = new Uint8Array(0)
    const names = args.collections ?? [undefined]
    question.among(names.reduce((sum, name) => sum + run(() => store.count(name, all)), 0))
    return new Words(host, question, searched)
  }

  /** The `most` best documents, of those in the set. */
  best(most: number, among: Uint16Array | undefined): Ranked {
    const parts = this.#searched.map(({ indexed, weights }) =>
      taken(this.question.best(indexed.index, weights, most, among)),
    )
    return best(this.#host, joined(parts), most)
  }

  /** All documents that match, of those in the set, in no order. */
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

function searchedBy({ collections, fields }: QueryArgs, indexes: ReadonlyMap<string, Indexed | Error>): Searched[] {
  const found = [...indexes].filter(([name]) => !collections || collections.includes(name))
  const searched: Searched[] = []
  for (const [, indexed] of found) {
    if (!(indexed instanceof Indexed)) throw indexed
    const weights = Float64Array.from(indexed.names, (name) =>
      !fields || fields.includes(name) ? indexed.settings[name].weight : 0,
    )
    if (weights.some((weight) => weight > 0)) searched.push({ indexed, weights })
  }
  if (found.length === 0) {
    const where = collections ? collections.map((name) => JSON.stringify(name)).join(', ') : 'the store'
    throw invalid(`no text is searched in ${where}: call setText(collection, fields) once, which says where words are`)
  }
  const known = new Set(found.flatMap(([, indexed]) => (indexed instanceof Indexed ? indexed.names : [])))
  for (const field of fields ?? [])
    if (!known.has(field))
      throw new NidusError(
        'INVALID_ARGUMENT',
        `no text is searched in the field ${JSON.stringify(field)}; there are ${[...known].map((name) => JSON.stringify(name)).join(', ')}`,
      )
  return searched
}
