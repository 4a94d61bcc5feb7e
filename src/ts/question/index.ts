import type { Args, Result } from '../contract/calls.js'
import { MOST_KEYS, TEXT_SHARE, type QueryArgs, type QueryHits } from '../contract/query.js'
import { checkCount, checkMinScore, checkTopK, collectionNames } from '../arguments/input.js'
import { GROUP_BY, FACET, FOR_WORDS, checkKeys } from '../arguments/keys.js'
import { oneOf } from '../arguments/options.js'
import { invalid } from '../errors/errors.js'
import { conditionsOf, explained } from './explain.js'
import { Reader, checkString, describe, isPlainObject, withTook } from '../core/wire.js'
import type {
  Attrs,
  AttrsOf,
  AttrValue,
  Hit,
  Hits,
  Listed,
  ListOptions,
  QuestionOptions,
  SimilarOptions,
  TextOptions,
} from '../types/index.js'

export { decodeSettings, settingsOf } from '../text/settings.js'

// Questions with words, and answers in other shapes than a list of the nearest. It is loaded with the first one.

/** The options of a search or a list that are captured together. Their values are not checked yet. */
type Options = {
  [K in Exclude<keyof QuestionOptions | keyof SimilarOptions | keyof ListOptions, 'filter' | 'signal'>]?: unknown
}

/** The arguments that the caller gave, as they were at the time of the call. */
export interface Asked {
  text?: unknown
  vector?: Float32Array
  /** The collection of a list, or of the record that others are similar to. */
  collection?: string
  /** The record that others are similar to. */
  id?: string
  filter: Uint8Array
  /** The filter as the caller gave it, if the answer is to explain it. */
  conditions?: unknown
  /** Has known keys only. */
  options: Options
  dimension: number
}
/** Makes a call of the store. */
export type CallOf = <M extends 'query' | 'records'>(method: M, args: Args<M>) => Promise<Result<M>>

/** A longer text is refused. */
const MOST_TEXT = 1 << 20

/** Returns the arguments of the call for a question. Throws INVALID_ARGUMENT if one of them is wrong. */
export function argsOf({
  text,
  vector,
  collection,
  id,
  filter,
  conditions,
  options,
}: Omit<Asked, 'options'> & { options: Omit<Options, 'limit' | 'orderBy'> }): QueryArgs {
  if (text !== undefined) {
    if (typeof text !== 'string') throw invalid(`text must be a string, not ${describe(text)}`)
    if (text.length > MOST_TEXT) throw invalid(`the text has ${text.length} characters, more than ${MOST_TEXT}`)
  }
  const {
    collections,
    topK,
    offset,
    minScore,
    withVectors,
    fusion,
    match,
    prefix,
    fuzzy,
    forms,
    fields,
    highlight,
    attrs,
    groupBy,
    facets,
    explain,
    ...others
  } = options
  // This does not compile if an option is forgotten above.
  void (others satisfies Record<string, never>)
  if (text === undefined) {
    if (vector === undefined && collection === undefined)
      throw invalid('search: the question has no text and no vector; it takes { text }, { vector } or both')
    for (const key of Object.keys(FOR_WORDS) as (keyof TextOptions)[])
      if (options[key] !== undefined) throw invalid(`search: \`${key}\` needs words, and the question has no text`)
  }
  oneOf(match, 'match', ['any', 'all'])
  oneOf(prefix, 'prefix', [true, false])
  oneOf(fuzzy, 'fuzzy', [0, 1, 'every'])
  oneOf(forms, 'forms', ['en'])
  oneOf(explain, 'explain', [true, false])
  return {
    // A lone surrogate separates words, as it does in texts.
    text: text?.replace(/\p{Surrogate}/gu, '\uFFFD'),
    vector,
    collections: collectionNames(collections),
    filter,
    topK: checkTopK(topK),
    offset: offset === undefined ? 0 : checkCount(offset, 'offset'),
    minScore: checkMinScore(minScore),
    withVectors: withVectors === true,
    attrs: attrs === undefined || attrs === true ? undefined : attrs === false ? [] : names(attrs, 'attrs'),
    fusion: fusionOf(fusion),
    matchAll: match === 'all',
    prefix: prefix === true,
    fuzzy: fuzzy === 'every' ? 2 : fuzzy === 1 ? 1 : 0,
    forms: forms as 'en' | undefined,
    fields: fields === undefined ? undefined : names(fields, 'fields'),
    highlight:
      highlight === undefined || highlight === false
        ? undefined
        : highlight === true
          ? true
          : names(highlight, 'highlight'),
    groupBy: groupOf(groupBy),
    facets: facetsOf(facets),
    explain: explain === true ? conditionsOf(conditions) : undefined,
    like: id === undefined ? undefined : { collection: collection!, id },
    orderBy: undefined,
  }
}

/** More records than a store can have. */
const MOST = 0xffffffff

function orderOf(orderBy: unknown): NonNullable<QueryArgs['orderBy']> {
  if (orderBy === undefined) return []
  if (typeof orderBy === 'string') return [{ key: orderBy, descending: false }]
  if (!isPlainObject(orderBy))
    throw invalid(`orderBy is a key, or an object like { year: 'desc' }, not ${describe(orderBy)}`)
  const count = Object.keys(orderBy).length
  if (count > MOST_KEYS) throw invalid(`orderBy names ${count} attributes, more than ${MOST_KEYS}`)
  return Object.entries(orderBy).flatMap(([key, direction]) => {
    oneOf(direction, `orderBy: the direction of ${describe(key)}`, ['asc', 'desc'])
    return direction === undefined ? [] : [{ key, descending: direction === 'desc' }]
  })
}

function names(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw invalid(`${what} must be an array of names, not ${describe(value)}`)
  value.forEach((name, i) => checkString(name, () => `${what}[${i}]`))
  return [...new Set(value as string[])]
}

function fusionOf(fusion: unknown): number | 'rrf' {
  if (fusion === undefined) return TEXT_SHARE
  if (fusion === 'rrf') return fusion
  if (!isPlainObject(fusion)) throw invalid(`fusion is { text: number } or 'rrf', not ${describe(fusion)}`)
  checkKeys(fusion, { text: 1 }, 'fusion')
  const { text } = fusion
  if (typeof text !== 'number' || !(text >= 0 && text <= 1))
    throw invalid(`fusion.text must be a number from 0 to 1, not ${describe(text)}`)
  return text
}

function groupOf(groupBy: unknown): QueryArgs['groupBy'] {
  if (groupBy === undefined) return undefined
  if (typeof groupBy === 'string') return groupOf({ key: groupBy })
  if (!isPlainObject(groupBy)) throw invalid(`groupBy is a key or { key, size }, not ${describe(groupBy)}`)
  checkKeys(groupBy, GROUP_BY, 'groupBy')
  const { key, size = 1 } = groupBy
  checkString(key, () => 'groupBy.key')
  if (checkCount(size, 'groupBy.size') === 0) throw invalid('groupBy.size must be 1 or more')
  return { key, size: size as number }
}

function facetsOf(facets: unknown): QueryArgs['facets'] {
  if (facets === undefined) return undefined
  if (!isPlainObject(facets)) throw invalid(`facets must be an object of keys, not ${describe(facets)}`)
  const limits: { [key: string]: number } = {}
  for (const [key, facet] of Object.entries(facets)) {
    if (facet === undefined) continue
    if (!isPlainObject(facet)) throw invalid(`facets: ${describe(key)} must be an object, not ${describe(facet)}`)
    checkKeys(facet, FACET, `facets: ${describe(key)}`)
    const { limit = 10 } = facet
    const value = checkCount(limit, `facets: the limit of ${describe(key)}`)
    Object.defineProperty(limits, key, { value, enumerable: true })
  }
  return limits
}

/** Returns the hits of an answer. */
export function hitsOf<A extends AttrsOf<A> = Attrs>(found: QueryHits, dimension: number): Hits<Hit<A>> {
  const { wire, scores, vectorScores, textScores, vectors, matches, snippets, groups, facets, explain, took } = found
  const reader = new Reader(wire)
  const hits: Hits<Hit<A>> = Array.from(scores, (score, i) => {
    reader.u8()
    const hit: Hit<A> = { collection: reader.str(), id: reader.str(), score, attrs: reader.attrs<A>() }
    if (vectorScores) hit.vectorScore = vectorScores[i]
    if (textScores) hit.textScore = textScores[i]
    if (vectors) hit.vector = vectors.slice(i * dimension, (i + 1) * dimension)
    if (matches) hit.matches = matches[i] as Hit<A>['matches']
    if (snippets?.[i] !== undefined) hit.snippet = snippets[i]
    if (groups) hit.group = groups[i] as AttrValue | undefined
    return hit
  })
  if (facets)
    hits.facets = Object.fromEntries(
      Object.entries(facets).map(([key, values]) => [
        key,
        values.map(([value, count]) => ({ value: value as AttrValue, count })),
      ]),
    )
  if (explain) hits.explain = explained(explain)
  return withTook(hits, took)
}

/** The number of records that are read at once. */
const PAGE = 512

/** Searches for words, a vector, both, or a vector that is in the store. */
export const searchOf = async <A extends AttrsOf<A> = Attrs>(asked: Asked, call: CallOf): Promise<Hits<Hit<A>>> =>
  hitsOf<A>(await call('query', argsOf(asked)), asked.dimension)

/** Returns the arguments of the call for a list. */
export function listArgs(asked: Asked): QueryArgs & { orderBy: NonNullable<QueryArgs['orderBy']> } {
  const { limit, orderBy, ...others } = asked.options
  return {
    ...argsOf({ ...asked, options: { ...others, collections: asked.collection } }),
    topK: limit === undefined ? MOST : checkCount(limit, 'limit'),
    orderBy: orderOf(orderBy),
  }
}

/** Lists records. */
export async function listOf<A extends AttrsOf<A> = Attrs>(asked: Asked, call: CallOf): Promise<Listed<A>> {
  const { dimension } = asked
  const collection = asked.collection!
  const args = listArgs(asked)
  const { filter, offset, topK, attrs, withVectors } = args
  const limit = offset + topK
  const record = (id: string, own: A, vector: Float32Array | undefined) =>
    vector ? { id, attrs: own, vector } : { id, attrs: own }
  if (args.orderBy.length > 0 || limit > PAGE || args.explain) {
    const hits = hitsOf<A>(await call('query', args), dimension)
    const records: Listed<A> = hits.map(({ id, attrs, vector }) => record(id, attrs, vector))
    if (hits.explain) records.explain = hits.explain
    return records
  }
  // The first records by id are known without the module of texts.
  const { wire, vectors, count } = await call('records', { collection, filter, after: undefined, limit })
  const reader = new Reader(wire)
  return Array.from({ length: count }, (_, i) => {
    const id = reader.str()
    const own = reader.attrs<A>()
    const chosen =
      attrs &&
      Object.fromEntries(attrs.filter((key) => Object.hasOwn(own, key)).map((key) => [key, own[key as keyof A]]))
    return record(id, (chosen ?? own) as A, withVectors ? vectors.slice(i * dimension, (i + 1) * dimension) : undefined)
  }).slice(offset)
}
