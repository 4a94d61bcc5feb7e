import type { AttrValue } from '../types/index.js'
import type { Column } from './columns.js'
import type { Found } from './hits.js'

/** More documents than a store can have. */
export const ALL = 0xffffffff

/** Returns the `most` best documents of a ranking, or all if it has fewer. With `only`, the best of that set. */
export type Ranking = (most: number, only?: Uint16Array) => Promise<Found>

interface Group {
  /** The place of the group's value in its column. */
  value: number
  places: { found: Found; place: number }[]
}

/** The documents of some groups, next to each other, with the value of each document's group. */
export interface Grouped {
  found: Found
  groups: (AttrValue | undefined)[]
}

export interface Grouping {
  size: number
  offset: number
  topK: number
  /** True if limiting the ranking would change its scores. Then all documents are ranked at once. */
  whole: boolean
}

/**
 * Returns the best `size` documents of each group, for at most `topK` groups from `offset` on. A group is all documents
 * that have the same value in the column. Those without a value are a group, too. Groups are ordered by their best
 * document.
 *
 * First ranks the best of all documents. If these have too few groups, ranks the documents of no known group. If a
 * group has too few documents, ranks the documents of this group.
 */
export async function groupsOf(
  ranking: Ranking,
  column: Column,
  { size, offset, topK, whole }: Grouping,
): Promise<Grouped> {
  const { ids, values } = column
  const wanted = topK === 0 ? 0 : offset + topK
  const groups = new Map<number, Group>()
  // A few more than are needed if each group has its best documents among them: a longer ranking takes more time.
  const most = whole ? ALL : Math.min(Math.min(wanted, values.length) * (size + 1) + 4, ALL)
  const add = (found: Found) =>
    found.docs.forEach((doc, place) => {
      const group = groups.get(ids[doc])
      if (!group) groups.set(ids[doc], { value: ids[doc], places: [{ found, place }] })
      else if (group.places.length < size) group.places.push({ found, place })
    })
  let found = await ranking(wanted === 0 ? 0 : most)
  add(found)
  const complete = found.docs.length < most
  while (!complete && groups.size < wanted) {
    const others = new Uint8Array(values.length).fill(1)
    for (const value of groups.keys()) others[value] = 0
    const left = withValues(column, others)
    if (!left) break
    found = await ranking(most, left)
    if (found.docs.length === 0) break
    add(found)
  }
  const chosen = [...groups.values()].slice(offset, wanted)
  if (!complete)
    for (const group of chosen) {
      if (group.places.length === size) continue
      const only = new Uint8Array(values.length)
      only[group.value] = 1
      const own = await ranking(size, withValues(column, only))
      group.places = Array.from(own.docs, (_, place) => ({ found: own, place }))
    }
  const places = chosen.flatMap((group) => group.places.map((each) => ({ ...each, value: group.value })))
  const pick = (of: (found: Found) => Float64Array | undefined) =>
    Float64Array.from(places, ({ found, place }) => of(found)![place])
  return {
    found: {
      docs: Uint32Array.from(places, ({ found, place }) => found.docs[place]),
      scores: pick(({ scores }) => scores),
      ...(found.vectorScores && { vectorScores: pick(({ vectorScores }) => vectorScores) }),
      ...(found.textScores && { textScores: pick(({ textScores }) => textScores) }),
    },
    groups: places.map(({ value }) => values[value]),
  }
}

/** Returns the set of the documents whose values are marked with 1, or undefined if there are none. */
function withValues({ ids, seen }: Column, marked: Uint8Array): Uint16Array | undefined {
  const set = new Uint16Array((seen >> 4) + 1)
  // By the value of a document plus one, so that there is a mark for `NO_DOCUMENT`, too.
  const marks = new Uint8Array(marked.length + 1)
  marks.set(marked, 1)
  let any = 0
  for (let from = 0; from < seen; from += 16) {
    let bits = 0
    const count = Math.min(16, seen - from)
    for (let i = 0; i < count; i++) bits |= marks[ids[from + i] + 1] << i
    set[from >> 4] = bits
    any |= bits
  }
  return any === 0 ? undefined : set
}
