// Converts a document's metadata to attributes and back, without loss. A value that an attribute can hold becomes one,
// so that filters see it. All other values become JSON under one key of their own.
import { invalid } from '../errors/errors.js'
import type { Attrs, AttrValue } from '../types/index.js'
import { describe, isPlainObject, keysOf } from '../core/wire.js'

/** The attribute that holds this JSON. */
export const REST = '$metadata'
const MOST_DEPTH = 100
const SURROGATE = /\p{Surrogate}/u

const isText = (value: unknown): value is string => typeof value === 'string' && !SURROGATE.test(value)
const isAttr = (value: unknown): value is AttrValue =>
  value === null ||
  isText(value) ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) ||
  (value instanceof Date && !Number.isNaN(value.getTime())) ||
  (Array.isArray(value) && Array.from(value).every(isText))
/** Returns whether a value is a bigint that would come back as a number. */
const isSmall = (value: unknown) => typeof value === 'bigint' && Number.isSafeInteger(Number(value))

const TAGS = ['$int', '$float', '$date', '$object']
const isPlain = (value: object) => [null, Object.prototype].includes(Object.getPrototypeOf(value) as null)

/** Tags the values that JSON cannot express. `where` names the value in errors. */
function packed(value: unknown, where: () => string, depth = 0): unknown {
  if (depth > MOST_DEPTH) throw invalid(`${where().slice(0, 200)} is nested more than ${MOST_DEPTH} deep`)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'bigint') return { $int: `${value}` }
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { $float: Object.is(value, -0) ? '-0' : `${value}` }
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  if (Array.isArray(value)) return Array.from(value, (item, i) => packed(item, () => `${where()}[${i}]`, depth + 1))
  if (typeof value !== 'object' || !isPlain(value))
    throw invalid(
      `${where()} is ${describe(value)}, which cannot be kept; plain objects, arrays, texts, numbers, bigints, ` +
        'booleans, dates and null can',
    )
  const entries = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .map(([key, part]) => [key, packed(part, () => `${where()}.${key}`, depth + 1)] as const)
  // An object that looks like a tag gets a tag itself.
  return entries.length === 1 && TAGS.includes(entries[0][0]) ? { $object: entries[0] } : Object.fromEntries(entries)
}

/** Replaces tags by the values that they stand for. */
function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked)
  if (typeof value !== 'object' || value === null) return value
  const [[tag, given] = [], ...more] = Object.entries(value) as [string, unknown][]
  if (more.length === 0) {
    if (tag === '$int') return BigInt(given as string)
    if (tag === '$float') return Number(given)
    if (tag === '$date') return new Date((given as string | null) ?? NaN)
    if (tag === '$object')
      return Object.fromEntries([[(given as [string, unknown])[0], unpacked((given as [string, unknown])[1])]])
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpacked(part)]))
}

/**
 * Returns the attributes of a document. `who` names the document in errors. A lone surrogate in a text (a chunk may end
 * in the middle of a character) becomes U+FFFD, as everywhere on the web.
 */
export function attrsOf(text: unknown, metadata: unknown, textKey: string, who: () => string): Attrs {
  if (typeof text !== 'string') throw invalid(`${who()}: pageContent must be a string, not ${describe(text)}`)
  if (metadata !== undefined && metadata !== null && !isPlainObject(metadata))
    throw invalid(`${who()}: metadata must be an object, not ${describe(metadata)}`)
  if (metadata) keysOf(metadata, () => `${who()}: metadata`)
  const [attrs, rest]: [string, AttrValue][][] = [[], []]
  for (const [key, value] of Object.entries<unknown>(metadata ?? {})) {
    if (value === undefined) continue
    const fits = key !== textKey && key !== REST && isText(key) && isAttr(value)
    if (fits) attrs.push([key, value])
    if (!fits || isSmall(value)) rest.push([key, packed(value, () => `${who()}: metadata ${key}`) as AttrValue])
  }
  attrs.push([textKey, text.replace(/\p{Surrogate}/gu, '\uFFFD')])
  if (rest.length > 0) attrs.push([REST, JSON.stringify(Object.fromEntries(rest))])
  return Object.fromEntries(attrs)
}

/** Returns the text and the metadata that the attributes of a document hold. */
export function metadataOf(attrs: Attrs, textKey: string): { text: string; metadata: Record<string, unknown> } {
  const { [textKey]: text, [REST]: rest, ...metadata } = attrs
  const others =
    typeof rest === 'string'
      ? Object.entries(JSON.parse(rest) as object).map(([key, value]) => [key, unpacked(value)] as const)
      : []
  return { text: typeof text === 'string' ? text : '', metadata: { ...metadata, ...Object.fromEntries(others) } }
}
