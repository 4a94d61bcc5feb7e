import type { TextHost } from '../engine/text-host.js'
import type { AttrValue } from '../types/index.js'
import { Writer } from '../core/wire.js'
import { keyOf, valuesOf, type Found } from './hits.js'

/**
 * Returns the `most` best documents of a ranking, or all if it has fewer. With `only`, those that match this filter, too.
 */
export type Ranking = (most: number, only?: Uint8Array) => Promise<Found>

interface Group {
  value: AttrValue | undefined
  places: { found: Found; place: number }[]
}

/** The documents of some groups, next to each other, and the value of each one's group. */
export interface Grouped {
  found: Found
  groups: (AttrValue | undefined)[]
}

/**
 * Returns the best `size` documents of each of the groups from `offset` on, at most `topK` groups. A group is all
 * documents that have one value under the key; those that have none are a group, too. Groups are ordered by their best
 * document. What the best of all documents leave open, further searches find: for other groups among the documents
 * that are in none of the known ones, for more documents of a group among its own.
 */
export async function groupsOf(
  host: TextHost,
  ranking: Ranking,
  { key, size }: { key: string; size: number },
  offset: number,
  topK: number,
  /** True if a filter changes the scores: then all is ranked at once. */
  whole: boolean,
): Promise<Grouped> {
  const wanted = topK === 0 ? 0 : offset + topK
  const groups = new Map<string, Group>()
  const most = whole ? 0xffffffff : wanted * (size + 2) + 16
  const add = (found: Found) =>
    valuesOf(host, found.docs, key).forEach((value, place) => {
      const name = keyOf(value)
      const group = groups.get(name)
      if (!group) groups.set(name, { value, places: [{ found, place }] })
      else if (group.places.length < size) group.places.push({ found, place })
    })
  let found = await ranking(wanted === 0 ? 0 : most)
  add(found)
  const all = found.docs.length < most
  while (!all && groups.size < wanted && found.docs.length > 0) {
    found = await ranking(most, noneOf(key, [...groups.values()]))
    add(found)
  }
  const chosen = [...groups.values()].slice(offset, wanted)
  if (!all)
    for (const group of chosen) {
      if (group.places.length === size) continue
      const own = await ranking(size, allOf(key, group.value))
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
    groups: places.map(({ value }) => value),
  }
}

// Expressions of filters, as src/ts/core/core.d.ts describes them.
const AND = 0
const NOT = 2
const EQ = 3
const IN = 4
const EXISTS = 8

/** Matches the documents of no group of these. */
function noneOf(key: string, groups: Group[]): Uint8Array {
  const values = groups.flatMap(({ value }) => (value === undefined ? [] : [value]))
  const writer = new Writer()
  const absent = values.length < groups.length
  writer.u8(AND)
  writer.u32(absent ? 2 : 1)
  writer.u8(NOT)
  writer.u8(IN)
  writer.str(key)
  writer.u32(values.length)
  for (const value of values) writer.value(value, () => key)
  if (absent) {
    writer.u8(EXISTS)
    writer.str(key)
  }
  return writer.finish()
}

/** Matches the documents of the group with this value. */
function allOf(key: string, value: AttrValue | undefined): Uint8Array {
  const writer = new Writer()
  if (value === undefined) writer.u8(NOT)
  writer.u8(value === undefined ? EXISTS : EQ)
  writer.str(key)
  if (value !== undefined) writer.value(value, () => key)
  return writer.finish()
}

/** Returns the filter that matches what both match. An empty one matches everything. */
export function both(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  const filter = new Uint8Array(5 + a.length + b.length)
  filter[0] = AND
  new DataView(filter.buffer).setUint32(1, 2, true)
  filter.set(a, 5)
  filter.set(b, 5 + a.length)
  return filter
}
