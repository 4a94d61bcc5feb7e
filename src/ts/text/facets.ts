import type { AttrValue } from '../types/index.js'
import type { Column } from './columns.js'
import { compareValues } from './values.js'

/**
 * Counts the values of a column over these documents. Each element of a list counts, once for each document. The most
 * frequent values come first. Values with equal counts come in ascending order.
 */
export function facet(column: Column, docs: Uint32Array, limit: number): [value: AttrValue, count: number][] {
  const { values } = column
  const counts = column.countsOf(docs)
  const all: [AttrValue, number][] = []
  const elements = new Map<string, [AttrValue, number]>()
  for (let place = 1; place < values.length; place++) {
    const value = values[place]!
    if (counts[place] === 0) continue
    if (!Array.isArray(value)) all.push([value, counts[place]])
    else
      for (const one of new Set(value)) {
        const known = elements.get(one)
        if (known) known[1] += counts[place]
        else elements.set(one, [one, counts[place]])
      }
  }
  return joined(all, elements)
    .sort((a, b) => b[1] - a[1] || compareValues(a[0], b[0]))
    .slice(0, limit)
}

/** Adds the counts of a text and of the same text in lists. */
function joined(all: [AttrValue, number][], elements: Map<string, [AttrValue, number]>) {
  if (elements.size === 0) return all
  const rest = all.filter(([value, count]) => {
    const element = typeof value === 'string' && elements.get(value)
    if (element) element[1] += count
    return !element
  })
  return [...rest, ...elements.values()]
}
