// Converts attributes to JSON and back, without loss. A value that JSON cannot express becomes an object with one key,
// because no attribute is an object: { "$int": "digits" } for an integer beyond 2^53, { "$float": 5 } for a float that
// is a whole number, and { "$date": ... }.
import { invalid } from '../errors/errors.js'
import { describe, isPlainObject, type Reader, type Writer } from '../core/wire.js'

// The types of values, with the numbers that the log has for them. src/ts/core/wire.ts reads and writes them, too. But
// there a float that is a whole number becomes an integer, because JavaScript has one type for both.
const STR = 1,
  INT = 2,
  BOOL = 3,
  LIST = 4,
  FLOAT = 5,
  DATE = 6
/** Stands for no value, where attributes are changed. */
const GONE = 0xffffffff
const MOST_DATE = 8_640_000_000_000_000n
const I64_MIN = -(2n ** 63n),
  I64_MAX = 2n ** 63n - 1n
const ISO = /^(\d{4}|[+-]\d{6})-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/

const DECIMAL = /^([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?Infinity|NaN)$/i

const isSafe = (int: bigint) => int >= BigInt(Number.MIN_SAFE_INTEGER) && int <= BigInt(Number.MAX_SAFE_INTEGER)

/** Returns a float as JSON. A float of only digits gets a tag, because it would be read as an integer. */
function floatText(float: number): string {
  if (Object.is(float, -0) || !Number.isFinite(float)) return `{"$float":"${Object.is(float, -0) ? '-0' : float}"}`
  const text = JSON.stringify(float)
  return /[.e]/.test(text) ? text : `{"$float":${text}}`
}

const dateText = (ms: bigint) =>
  `{"$date":"${ms <= MOST_DATE && ms >= -MOST_DATE ? new Date(Number(ms)).toISOString() : ms}"}`

function readValue(reader: Reader): string {
  switch (reader.u32()) {
    case STR:
      return JSON.stringify(reader.str())
    case INT: {
      const int = reader.i64()
      return isSafe(int) ? `${int}` : `{"$int":"${int}"}`
    }
    case BOOL:
      return `${reader.u8() !== 0}`
    case LIST:
      return JSON.stringify(Array.from({ length: reader.length() }, () => reader.str()))
    case FLOAT:
      return floatText(reader.f64())
    case DATE:
      return dateText(reader.i64())
    default:
      return 'null'
  }
}

/** Reads the attributes of a record, and returns them as JSON. */
export function readAttrs(reader: Reader): string {
  const entries = Array.from({ length: reader.length() }, () => `${JSON.stringify(reader.str())}:${readValue(reader)}`)
  return `{${entries.join(',')}}`
}

function int64(text: string, who: () => string): bigint {
  const int = BigInt(text)
  if (int < I64_MIN || int > I64_MAX)
    throw invalid(`${who()}: ${text} does not fit 64 bits; { "$float": "${text}" } keeps about 16 digits of it`)
  return int
}

function milliseconds(given: unknown, who: () => string): bigint {
  if (typeof given === 'number' && Number.isSafeInteger(given)) return BigInt(given)
  if (typeof given === 'string') {
    if (/^[+-]?\d+$/.test(given)) return int64(given, who)
    const time = ISO.test(given) ? Date.parse(given) : NaN
    // This refuses a day that does not exist: Date.parse takes the 30th of February for the first of March.
    const day = given.replace(/T.*/, '')
    if (!Number.isNaN(time) && new Date(day).getUTCDate() === Number(day.slice(-2))) return BigInt(time)
  }
  throw invalid(
    `${who()}: $date is ${describe(given)}; it must be ISO 8601 with its time zone ("2024-05-01T12:00:00.000Z") or ` +
      'milliseconds since 1970',
  )
}

function integer(given: unknown, who: () => string): bigint {
  const text = typeof given === 'number' && Number.isSafeInteger(given) ? `${given}` : given
  if (typeof text !== 'string' || !/^[+-]?\d+$/.test(text))
    throw invalid(`${who()}: $int is ${describe(given)}; it must be digits in a string`)
  return int64(text.replace(/^\+/, ''), who)
}

function float64(given: unknown, who: () => string): number {
  const number = longNumber(given) ?? given
  const float = typeof number === 'string' && DECIMAL.test(number) ? Number(number) : number
  // Infinity and NaN must be written as such: digits that are too large for a float are refused.
  if (
    typeof float !== 'number' ||
    (!Number.isFinite(float) && !/^([+-]?Infinity|NaN)$/.test(`${number as string}`)) ||
    (typeof number === 'number' && !Number.isFinite(number))
  ) {
    throw invalid(`${who()}: $float is ${describe(given)}; it must be a number, or one in a string`)
  }
  return float
}

/** Returns the digits of a long integer that `parseExactly` has kept. */
export function longNumber(value: unknown): string | undefined {
  if (
    !isPlainObject(value) ||
    Object.keys(value).length !== 1 ||
    typeof value.$int !== 'string' ||
    !/^[+-]?\d+$/.test(value.$int)
  )
    return undefined
  return value.$int
}

function writeTagged(writer: Writer, tag: string, given: unknown, who: () => string) {
  if (tag === '$int') {
    writer.u32(INT)
    return writer.i64(integer(given, who))
  }
  if (tag === '$float') {
    writer.u32(FLOAT)
    return writer.f64(float64(given, who))
  }
  writer.u32(DATE)
  return writer.i64(milliseconds(given, who))
}

/** Encodes the attributes of a record for the store. For an update, `gone` names those that are removed. */
export function writeAttrs(writer: Writer, attrs: unknown, who: () => string, gone: string[] = []) {
  if (attrs === undefined) attrs = {}
  if (!isPlainObject(attrs)) throw invalid(`${who()}: "attrs" must be an object, not ${describe(attrs)}`)
  const keys = Object.keys(attrs)
  writer.u64(keys.length + gone.length)
  for (const key of gone) {
    writer.str(key, () => `${who()}: the key of an attribute to remove`)
    writer.u32(GONE)
  }
  for (const key of keys) {
    const value = attrs[key]
    const what = () => `${who()}: attribute ${describe(key)}`
    writer.str(key, () => `${who()}: an attribute's key`)
    const [tag, ...more] = isPlainObject(value) ? Object.keys(value) : []
    if (tag === undefined && !isPlainObject(value)) writer.value(value, what)
    else if (more.length === 0 && (tag === '$int' || tag === '$float' || tag === '$date'))
      writeTagged(writer, tag, (value as Record<string, unknown>)[tag], what)
    else throw invalid(`${what()} is an object; the only objects allowed are { "$int" }, { "$float" } and { "$date" }`)
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Parses JSON. Integers beyond 2^53 become { "$int" }, because JSON.parse would round them without an error. */
export function parseExactly(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  JSON.parse(text) // Throws if the text is no JSON. The replacement below might make it valid.
  return JSON.parse(
    text.replace(TOKENS, (token) =>
      /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `{"$int":"${token}"}` : token,
    ),
  )
}

/** Replaces all tags in a filter by values of JavaScript. */
export function untagged(value: unknown, who: string): unknown {
  if (Array.isArray(value)) return value.map((item) => untagged(item, who))
  if (!isPlainObject(value)) return value
  const [key, ...more] = Object.keys(value)
  if (more.length === 0 && key === '$int') return integer(value[key], () => who)
  if (more.length === 0 && key === '$float') return float64(value[key], () => who)
  if (more.length === 0 && key === '$date') return new Date(Number(milliseconds(value[key], () => who)))
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, untagged(part, who)]))
}

/** Replaces the values of a document by tags where JSON needs them. A float that is a whole number gets no tag. */
export function tagged(value: unknown): unknown {
  if (typeof value === 'bigint') return isSafe(value) ? Number(value) : { $int: `${value}` }
  if (Object.is(value, -0)) return { $float: '-0' }
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  if (Array.isArray(value)) return value.map(tagged)
  return isPlainObject(value)
    ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, tagged(part)]))
    : value
}
