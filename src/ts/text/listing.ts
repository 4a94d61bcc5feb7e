import type { QueryArgs } from '../contract/query.js'
import { NO_DOCUMENT, type Column, type Columns } from './columns.js'
import type { Found } from './hits.js'
import { has } from './ranked.js'

/** Returns the first `most` of these documents in the order of their ids. */
type ById = (docs: Uint32Array, most: number) => Uint32Array

/** Returns the records of a collection that match the filter, in the order that was asked for and then by id. */
export async function listed(
  columns: Columns,
  { orderBy, offset, topK }: QueryArgs,
  docs: Uint32Array,
  byId: ById,
  between: () => void,
): Promise<Found> {
  const keys: (readonly [Column, descending: boolean])[] = []
  for (const { key, descending } of orderBy!) keys.push([await columns.of(key, between), descending])
  const ordered = firstOf(byId, docs, keys, Math.min(offset + topK, docs.length)).slice(offset)
  return { docs: ordered, scores: new Float64Array(ordered.length) }
}

/** Returns the first `most` documents in the order of the columns. */
function firstOf(
  byId: ById,
  docs: Uint32Array,
  keys: (readonly [Column, descending: boolean])[],
  most: number,
): Uint32Array {
  if (most === 0) return new Uint32Array(0)
  const [first, ...rest] = keys
  if (!first) return byId(docs, most)
  const [column, descending] = first
  const { ids } = column
  const ranks = column.ranks()
  const last = ranks.length
  // Documents without the value come last, in either direction.
  const rank = (place: number) => (place === 0 ? last : descending ? last - 1 - ranks[place] : ranks[place])
  const ordered =
    docs.length * FEW < last
      ? docs.slice().sort((a, b) => rank(ids[a]) - rank(ids[b]))
      : counted(docs, column, rank, most)
  for (let from = 0, to: number; from < most; from = to) {
    const own = rank(ids[ordered[from]])
    for (to = from + 1; to < ordered.length && rank(ids[ordered[to]]) === own; to++);
    if (to === from + 1) continue
    const equal = ordered.subarray(from, to)
    equal.set(firstOf(byId, equal, rest, Math.min(to, most) - from))
  }
  return ordered.subarray(0, most)
}

/** With more values than this for each document, documents are sorted. Counting them would look at all values. */
const FEW = 4

/** Returns at least the first `most` documents in the order of the ranks of their places. */
function counted(docs: Uint32Array, column: Column, rank: (place: number) => number, most: number): Uint32Array {
  const { ids } = column
  const ofPlace = column.countsOf(docs)
  // A document without the value has the greatest rank.
  const last = ofPlace.length
  const counts = new Uint32Array(last + 1)
  for (let place = 0; place < last; place++) counts[rank(place)] += ofPlace[place]
  // Where the next document of each rank goes, as far as that is needed.
  const next = new Uint32Array(last + 1)
  let end = 0
  let until = 0
  for (; until <= last && end < most; until++) {
    next[until] = end
    end += counts[until]
  }
  const found = new Uint32Array(end)
  const wanted = Uint8Array.from(ofPlace, (_, place) => Number(rank(place) < until))
  for (const doc of docs) if (wanted[ids[doc]] === 1) found[next[rank(ids[doc])]++] = doc
  return found
}

/** Returns the documents that exist, are in one of the collections, and are in the set. */
export function inScope(
  { ids, values, seen }: Column,
  collections: string[] | undefined,
  among: Uint16Array | undefined,
): Uint32Array {
  const wanted = Uint8Array.from(values, (name) => Number(!collections || collections.includes(name as string)))
  const docs = new Uint32Array(seen)
  let count = 0
  for (let doc = 0; doc < seen; doc++) if (ids[doc] !== NO_DOCUMENT && wanted[ids[doc]] === 1) docs[count++] = doc
  const inCollections = docs.subarray(0, count)
  return among ? inCollections.filter((doc) => has(among, doc) === 1) : inCollections
}
