// Attributes in JSON. Values that JSON cannot have are tagged: { "$int": "9007199254740993" } for integers beyond 2^53,
// { "$float": "-0" } for floats that look like integers, and { "$date": "2024-05-01T12:00:00.000Z" } for dates. The
// command line uses the same tags.
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

const isI64 = (int) => BigInt.asIntN(64, int) === int
const wrong = (tag, value, wanted) => new TypeError(`${tag} is ${JSON.stringify(value)}; it must be ${wanted}`)

const TAGS = {
  $int(value) {
    if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value) || !isI64(BigInt(value)))
      throw wrong('$int', value, 'an integer of 64 bits, its digits in a string')
    return BigInt(value)
  },
  $float(value) {
    const number = Number(value)
    if ((typeof value !== 'number' && typeof value !== 'string') || value === '' || !Number.isFinite(number))
      throw wrong('$float', value, 'a number')
    return number
  },
  $date(value) {
    const date = new Date(
      typeof value === 'string' && /^[+-]?\d{4,6}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(value) ? value : NaN,
    )
    if (Number.isNaN(date.getTime())) throw wrong('$date', value, 'ISO 8601 with its time zone')
    return date
  },
}

/** Returns attributes or a filter with all tagged values replaced by JavaScript's own. */
export function untagged(value) {
  if (Array.isArray(value)) return value.map(untagged)
  if (!isObject(value)) return value
  const entries = Object.entries(value)
  const [key, inner] = entries[0] ?? []
  if (entries.length === 1 && Object.hasOwn(TAGS, key)) return TAGS[key](inner)
  return Object.fromEntries(entries.map(([name, part]) => [name, untagged(part)]))
}

/**
 * Returns attributes without tags. Each attribute is converted separately, because an attribute may be named like a
 * tag.
 */
export const untaggedAttrs = (attrs) =>
  isObject(attrs) ? Object.fromEntries(Object.entries(attrs).map(([key, value]) => [key, untagged(value)])) : attrs

function taggedValue(value) {
  if (typeof value === 'bigint') return { $int: `${value}` }
  if (value instanceof Date) return { $date: value.toISOString() }
  // A plain number in JSON would come back as an integer.
  if (typeof value === 'number' && (Object.is(value, -0) || (Number.isInteger(value) && !Number.isSafeInteger(value))))
    return { $float: Object.is(value, -0) ? '-0' : `${value}` }
  return value
}
export const tagged = (attrs) =>
  Object.fromEntries(Object.entries(attrs).map(([key, value]) => [key, taggedValue(value)]))

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const exact = (token) =>
  /^-?\d{16,19}$/.test(token) && !Number.isSafeInteger(Number(token)) && isI64(BigInt(token))
    ? `{"$int":"${token}"}`
    : token

/** Parses JSON. JSON.parse would round integers beyond 2^53 without an error, so here they become { "$int" }. */
export function parseExactly(text) {
  const value = JSON.parse(text)
  return /\d{16}/.test(text) ? JSON.parse(text.replace(TOKENS, exact)) : value
}
