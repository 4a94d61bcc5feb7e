import { RANKS, TEXT_SHARE } from '../contract/query.js'
import type { Filter, Hit, QuestionOptions } from '../types/index.js'
import { and, type PassageAttrs } from './records.js'

type Search = (vector: Float32Array | undefined, options: QuestionOptions) => Promise<Hit<PassageAttrs>[]>
/** The options of a question that is grouped by documents. */
type Shape = QuestionOptions & { topK: number; offset: number; groupBy: { key: string; size: number } }

/** Ranks beyond this one are as good as equal, so nobody counts them. */
const COUNTED = 1000

export const EMBEDDED = { _pending: { $exists: false } } as Filter
const WAITING = { _pending: true } as Filter

/**
 * Does a hybrid search while some passages wait for their vectors. Nobody knows yet what those mean, and a cosine of 0
 * would say that they mean something else. So they are ranked by their words alone, which stand for their meaning, too:
 * the best words count as the best cosine that was found, and others in proportion. By ranks, a passage has in the
 * ranking by meaning the rank that it has in the one by words.
 */
export async function searchHalfEmbedded(
  search: Search,
  vector: Float32Array,
  shape: Shape,
): Promise<Hit<PassageAttrs>[]> {
  const { topK, offset, groupBy, minScore, filter, fusion, ...others } = shape
  const most = topK + offset
  const hybrid = { ...others, groupBy, fusion, offset: 0 }
  const ofEmbedded = (topK: number, also?: Filter) =>
    search(vector, { ...hybrid, topK, filter: and(EMBEDDED, filter, also) })
  const enough = (hits: Hit<PassageAttrs>[]) =>
    minScore === undefined ? hits : hits.filter(({ score }) => !(score < minScore))
  const embedded = await ofEmbedded(most)
  let scoreOf: ((hit: Hit<PassageAttrs>) => number) | undefined
  const ofWaiting = async (topK: number, also?: Filter) => {
    // By meaning alone, nothing is known of them.
    if (fusion !== undefined && fusion !== 'rrf' && fusion.text === 0) return []
    const options = { ...others, groupBy, offset: 0, topK, filter: and(WAITING, filter, also) }
    const hits = await search(undefined, options)
    if (hits.length === 0) return []
    scoreOf ??=
      fusion === 'rrf'
        ? await scoresByRank(search, shape)
        : await scoresByWords(search, vector, shape, hits[0], embedded, fusion?.text ?? TEXT_SHARE)
    return hits.map((hit) => ({ ...hit, score: scoreOf!(hit) }))
  }
  const found = merged(enough([...embedded, ...(await ofWaiting(most))]), groupBy.size).slice(offset, most)
  if (groupBy.size === 1 || found.length === 0) return found.flat()
  // A document may have passages of both kinds, and only one kind was good enough to find it.
  const only = { _doc: { $in: found.map(([hit]) => hit.attrs._doc) } } as Filter
  return merged(enough([...(await ofEmbedded(topK, only)), ...(await ofWaiting(topK, only))]), groupBy.size).flat()
}

/** Puts the passages of documents together, the best documents first. */
function merged(all: Hit<PassageAttrs>[], size: number): Hit<PassageAttrs>[][] {
  const documents = new Map<string, Hit<PassageAttrs>[]>()
  for (const hit of all) {
    const own = documents.get(hit.attrs._doc)
    if (own) own.push(hit)
    else documents.set(hit.attrs._doc, [hit])
  }
  const better = (a: Hit<PassageAttrs>, b: Hit<PassageAttrs>) => b.score - a.score
  return [...documents.values()].map((hits) => hits.sort(better).slice(0, size)).sort(([a], [b]) => better(a, b))
}

/** `best` is the hit with the best words of those without a vector. */
async function scoresByWords(
  search: Search,
  vector: Float32Array,
  shape: Shape,
  best: Hit<PassageAttrs>,
  embedded: Hit<PassageAttrs>[],
  share: number,
) {
  const { match, prefix, fuzzy, forms, collections, signal } = shape
  const { _doc, _n } = best.attrs
  // The store tells the score of words as it is. One hit with a weight of words alone tells what its scale is.
  const options = { match, prefix, fuzzy, forms, collections, signal, topK: 1, fusion: { text: 1 } }
  const [whole] = await search(vector, { ...options, filter: and({ _doc }, { _n }) })
  const scale = whole ? whole.score / best.score : 0
  const most = Math.max(best.score, ...embedded.map(({ textScore = 0 }) => textScore))
  const cosine = Math.max(0, ...embedded.map(({ vectorScore = 0 }) => vectorScore))
  return ({ score }: Hit<PassageAttrs>) => (1 - share) * cosine * (score / most) + share * scale * score
}

/** The rank of a passage is the one that it would have among those with vectors. */
async function scoresByRank(search: Search, shape: Shape) {
  const { match, prefix, fuzzy, forms, collections, signal, filter } = shape
  const options = { match, prefix, fuzzy, forms, collections, signal, filter, topK: COUNTED, attrs: ['_pending'] }
  const ranks = new Map<string, number>()
  let rank = 1
  for (const { id, attrs } of await search(undefined, options)) {
    if (attrs._pending) ranks.set(id, rank)
    else rank++
  }
  return ({ id }: Hit<PassageAttrs>) => 2 / (RANKS + (ranks.get(id) ?? COUNTED))
}
