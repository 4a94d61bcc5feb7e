import { invalid, reading } from '../errors/errors.js'
import { nearest } from './nearest.js'
import { Writer, checkString, describe, isPlainObject, keysOf } from '../core/wire.js'

const AND = 0,
  OR = 1,
  NOT = 2,
  EQ = 3,
  IN = 4,
  COMPARE = 5,
  EXISTS = 8
const COMPARISONS: { [operator: string]: number } = { $gt: 0, $gte: 1, $lt: 2, $lte: 3 }
/** The operators whose operand is a string. */
const TEXTS: { [operator: string]: number } = { $glob: 6, $iglob: 9, $startsWith: 10, $contains: 7, $icontains: 11 }
/** The operators whose operand is an array of strings. */
const ELEMENTS: { [operator: string]: number } = { $containsAny: 12, $containsAll: 13 }
const OPERATORS = [
  ...['$eq', '$ne', '$in', '$nin'],
  ...[COMPARISONS, TEXTS, ELEMENTS].flatMap(Object.keys),
  ...['$exists', '$not'],
]
/** The core has the same limits except MAX_PARTS: one condition becomes up to five of the core's expressions. */
const MAX_PARTS = 1000,
  MAX_VALUES = 65_536,
  MAX_PATTERN = 1024,
  MAX_DEPTH = 64
let parts = 0,
  listed = 0

const NONE = new Uint8Array(0)

/** Returns a filter object as the core's expression, or empty bytes if there is no filter. */
export function encodeFilter(filter: unknown): Uint8Array<ArrayBuffer> {
  if (filter === undefined) return NONE.slice()
  return reading('the filter', () => {
    const writer = new Writer()
    parts = listed = 0
    expression(writer, filter, 1, 'the filter')
    return Object.keys(filter as object).length ? writer.finish() : NONE.slice()
  })
}

function deeper(depth: number) {
  if (depth > MAX_DEPTH) throw invalid(`the filter is nested more than ${MAX_DEPTH} deep`)
  return depth
}

function count() {
  if (++parts > MAX_PARTS) throw invalid(`the filter has more than ${MAX_PARTS} conditions and operators`)
}

function expression(writer: Writer, filter: unknown, depth: number, where: string) {
  deeper(depth)
  if (!isPlainObject(filter)) throw invalid(`${where} must be an object, not ${describe(filter)}`)
  const keys = keysOf(filter, () => where)
  if (keys.length !== 1) {
    writer.u8(AND)
    writer.u32(keys.length)
    depth++
  }
  for (const key of keys) {
    const value = filter[key]
    if (key.startsWith('$')) count()
    if (key === '$and' || key === '$or') {
      if (!Array.isArray(value)) throw invalid(`${key} takes an array of filters, not ${describe(value)}`)
      writer.u8(key === '$and' ? AND : OR)
      writer.u32(value.length)
      for (const part of value) expression(writer, part, depth + 1, `a part of ${key}`)
    } else if (key === '$not') {
      writer.u8(NOT)
      expression(writer, value, depth + 1, '$not')
    } else if (key.startsWith('$')) {
      throw invalid(
        `unknown operator ${describe(key)} in the filter: beside attributes it takes $and, $or and $not; other ` +
          'operators belong to an attribute: { year: { $gte: 2020 } }',
      )
    } else {
      checkString(key, () => "a filter's key")
      conditions(writer, key, value, depth)
    }
  }
}

/** Writes all conditions on one key. `depth` counts as the core counts the depth of its expressions. */
function conditions(writer: Writer, key: string, condition: unknown, depth: number): void {
  deeper(depth)
  // A misspelt variable must not make a filter match more, least of all the filter of deleteWhere.
  if (condition === undefined) throw invalid(`the filter's ${describe(key)} is undefined`)
  if (!isPlainObject(condition)) return single(writer, key, '$eq', condition, depth)
  const operators = Object.keys(condition)
  if (operators.length === 0) throw invalid(`the filter's ${describe(key)} names no operator`)
  if (operators.length > 1) {
    writer.u8(AND)
    writer.u32(operators.length)
    depth++
  }
  for (const operator of operators) single(writer, key, operator, condition[operator], depth)
}

function single(writer: Writer, key: string, operator: string, operand: unknown, depth: number): void {
  deeper(depth)
  count()
  const what = () => `the filter's ${describe(key)} ${operator}`
  switch (operator) {
    case '$eq':
      return equal(writer, key, operand, what)
    case '$ne':
      presentAndNot(writer, key)
      return equal(writer, key, operand, what)
    case '$in':
      return among(writer, IN, key, operand, what)
    case '$nin':
      presentAndNot(writer, key)
      return among(writer, IN, key, operand, what)
    case '$containsAny':
    case '$containsAll':
      return among(writer, ELEMENTS[operator], key, operand, what)
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      writer.u8(COMPARE)
      writer.str(key)
      writer.u8(COMPARISONS[operator])
      return writer.value(operand, what)
    case '$glob':
    case '$iglob':
    case '$startsWith':
    case '$contains':
    case '$icontains': {
      writer.u8(TEXTS[operator])
      writer.str(key)
      const bytes = writer.str(operand, what)
      if (operator !== '$startsWith' && operator !== '$contains' && bytes > MAX_PATTERN)
        throw invalid(`${what()} has ${bytes} bytes, more than ${MAX_PATTERN}`)
      return
    }
    case '$exists':
      if (typeof operand !== 'boolean') throw invalid(`${what()} takes true or false, not ${describe(operand)}`)
      if (!operand) writer.u8(NOT)
      writer.u8(EXISTS)
      writer.str(key)
      return
    case '$not':
      writer.u8(NOT)
      return conditions(writer, key, operand, depth + 1)
    default:
      throw invalid(
        `unknown operator ${describe(operator)} for ${describe(key)} in the filter, which takes ` +
          `${OPERATORS.join(', ')}${nearest(operator, OPERATORS).replace(/^: there.*/, '')}`,
      )
  }
}

function equal(writer: Writer, key: string, value: unknown, what: () => string) {
  writer.u8(EQ)
  writer.str(key)
  writer.value(value, what)
}

function among(writer: Writer, tag: number, key: string, values: unknown, what: () => string) {
  if (!Array.isArray(values)) throw invalid(`${what()} takes an array, not ${describe(values)}`)
  listed += values.length
  if (listed > MAX_VALUES) throw invalid(`${what()}: a filter's lists take ${MAX_VALUES} values at most, together`)
  writer.u8(tag)
  writer.str(key)
  writer.u32(values.length)
  // forEach would skip the holes of a sparse array.
  for (let i = 0; i < values.length; i++) {
    const [value, which] = [values[i], () => `${what()}[${i}]`] as [unknown, () => string]
    if (tag === IN) writer.value(value, which)
    else {
      checkString(value, which)
      writer.str(value)
    }
  }
}

/** Begins And(Exists(key), Not(…)). The caller writes the negated expression next. */
function presentAndNot(writer: Writer, key: string) {
  writer.u8(AND)
  writer.u32(2)
  writer.u8(EXISTS)
  writer.str(key)
  writer.u8(NOT)
}
