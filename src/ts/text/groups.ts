import type { TextHost } from '../engine/text-host.js'
import type { AttrValue } from '../types/index.js'
import { keyOf, valuesOf, type Found } from './hits.js'

/** Returns the `most` best documents of a ranking, or all if it has fewer. */
export type Ranking = (most: number) => Promise<Found>

interface Group {
  value: AttrValue | undefined
  places: number[]
}

/** The documents of some groups, next to each other, and the value of each one's group. */
export interface Grouped {
  found: Found
  groups: (AttrValue | undefined)[]
}

/**
 * Returns the best `size` documents of each of the groups from `offset` on, at most `topK` groups. A group is all
 * documents that have one value under the key; those that have none are a group, too. Groups are ordered by their best
 * document. The ranking is read further until no later document can change anything.
 */
export async function groupsOf(
  host: TextHost,
  ranking: Ranking,
  { key, size }: { key: string; size: number },
  offset: number,
  topK: number,
): Promise<Grouped> {
  const wanted = offset + topK
  if (topK === 0 || size === 0) {
    const found = await ranking(0)
    return { found, groups: [] }
  }
  for (let most = Math.max(64, wanted * (size + 3)); ; most *= 4) {
    const found = await ranking(most)
    const groups = new Map<string, Group>()
    valuesOf(host, found.docs, key).forEach((value, place) => {
      const name = keyOf(value)
      const group = groups.get(name)
      if (!group) groups.set(name, { value, places: [place] })
      else if (group.places.length < size) group.places.push(place)
    })
    const chosen = [...groups.values()].slice(0, wanted)
    const complete = chosen.length === wanted && chosen.slice(offset).every(({ places }) => places.length === size)
    if (!complete && found.docs.length === most) continue
    const places = chosen.slice(offset).flatMap((group) => group.places.map((place) => ({ place, value: group.value })))
    const pick = (scores: Float64Array) => Float64Array.from(places, ({ place }) => scores[place])
    return {
      found: {
        docs: Uint32Array.from(places, ({ place }) => found.docs[place]),
        scores: pick(found.scores),
        ...(found.vectorScores && { vectorScores: pick(found.vectorScores) }),
        ...(found.textScores && { textScores: pick(found.textScores) }),
      },
      groups: places.map(({ value }) => value),
    }
  }
}

/**
 * Counts the values under a key, of all documents. Each element of a list counts. The most frequent come first, and
 * those of equal counts in the order of their first document.
 */
export function facet(
  host: TextHost,
  docs: Uint32Array,
  key: string,
  limit: number,
): [value: AttrValue, count: number][] {
  const counts = new Map<string, [AttrValue, number]>()
  for (let from = 0; from < docs.length; from += 8192) {
    for (const value of valuesOf(host, docs.subarray(from, from + 8192), key)) {
      if (value === undefined) continue
      for (const one of Array.isArray(value) ? new Set(value) : [value]) {
        const name = keyOf(one)
        const known = counts.get(name)
        if (known) known[1]++
        else counts.set(name, [one, 1])
      }
    }
  }
  return [...counts.values()].sort((a, b) => b[1] - a[1]).slice(0, limit)
}
