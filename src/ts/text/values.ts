import type { AttrValue } from '../types/index.js'

/** Values of different types are ordered by their type, in this order. */
export const TYPES = ['null', 'boolean', 'number', 'date', 'string', 'list'] as const

/** Returns the place of a value's type in `TYPES`. */
export function typeOf(value: AttrValue): number {
  if (value === null) return 0
  if (Array.isArray(value)) return TYPES.indexOf('list')
  if (value instanceof Date) return TYPES.indexOf('date')
  return TYPES.indexOf(typeof value === 'bigint' ? 'number' : (typeof value as 'string'))
}

/**
 * Compares two values by the ascending order: first null, then false, true, numbers, dates, texts, lists. NaN comes
 * before all other numbers. Texts are ordered by their UTF-8 bytes, and lists by their first elements that differ.
 */
export function compareValues(a: AttrValue, b: AttrValue): number {
  const type = typeOf(a)
  if (type !== typeOf(b)) return type - typeOf(b)
  if (typeof a === 'string') return compareTexts(a, b as string)
  if (Array.isArray(a)) {
    const other = b as string[]
    for (let i = 0; i < Math.min(a.length, other.length); i++)
      if (a[i] !== other[i]) return compareTexts(a[i], other[i])
    return a.length - other.length
  }
  const [x, y] = [a instanceof Date ? a.getTime() : a, b instanceof Date ? b.getTime() : b] as [number, number]
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x))
  return x < y ? -1 : Number(x > y)
}

/** Compares texts by their UTF-8 bytes. */
function compareTexts(a: string, b: string): number {
  const end = Math.min(a.length, b.length)
  let at = 0
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at++
  if (at === end) return a.length - b.length
  const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)]
  // In UTF-8 a surrogate pair comes after every other character. In UTF-16 it comes before those from U+E000 on.
  const [early, late] = [isSurrogate(x), isSurrogate(y)]
  return early === late ? x - y : early ? 1 : -1
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff
