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
  const rank = (doc: number) => (ids[doc] === 0 ? last : descending ? last - 1 - ranks[ids[doc]] : ranks[ids[doc]])
  const counts = new Uint32Array(last + 1)
  for (const doc of docs) counts[rank(doc)]++
  // Counts become starting places, as far as they are needed.
  const starts = new Uint32Array(last + 1)
  let end = 0
  let until = 0
  for (; until <= last && end < most; until++) {
    starts[until] = end
    end += counts[until]
  }
  const found = new Uint32Array(end)
  const next = starts.slice()
  for (const doc of docs) {
    const at = rank(doc)
    if (at < until) found[next[at]++] = doc
  }
  for (let at = 0; at < until; at++)
    if (counts[at] > 1) {
      const equal = found.subarray(starts[at], starts[at] + counts[at])
      equal.set(firstOf(byId, equal, rest, Math.min(counts[at], most - starts[at])))
    }
  return found.subarray(0, most)
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
  for (let doc = 0; doc < seen; doc++)
    if (ids[doc] !== NO_DOCUMENT && wanted[ids[doc]] === 1 && (!among || has(among, doc) === 1)) docs[count++] = doc
  return docs.subarray(0, count)
}
