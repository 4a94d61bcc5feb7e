import { TYPES, typeOf } from './values.js'
import type { Column } from './columns.js'

/** Counts these documents by the type of their value in a column. */
export function countTypes({ ids, values }: Column, docs: Uint32Array): number[] {
  const types = values.map((value) => (value === undefined ? -1 : typeOf(value)))
  const counts = TYPES.map(() => 0)
  for (const doc of docs) if (ids[doc] > 0) counts[types[ids[doc]]]++
  return counts
}
