import type { Condition, Counted } from '../contract/query.js'
import { isPlainObject } from '../core/wire.js'
import { TYPES, typeOf } from '../text/values.js'
import type { AttrValue, FilterKey, Operators } from '../types/index.js'

const STRING = [TYPES.indexOf('string')]
const LIST = [TYPES.indexOf('list')]
/** The operator matches values of its operand's type alone. */
const OPERAND = 0
/** The operator can match a record without a value of the operand's type. */
const ANY = 1
/** The types of value that each operator can match. */
const MATCHED = {
  $eq: OPERAND,
  $ne: ANY,
  $in: OPERAND,
  $nin: ANY,
  $gt: OPERAND,
  $gte: OPERAND,
  $lt: OPERAND,
  $lte: OPERAND,
  $glob: STRING,
  $iglob: STRING,
  $startsWith: STRING,
  $icontains: STRING,
  $contains: [...STRING, ...LIST],
  $containsAny: LIST,
  $containsAll: LIST,
  $exists: ANY,
  $not: ANY,
} satisfies Record<keyof Operators, typeof OPERAND | typeof ANY | number[]>

/** Returns the conditions of a filter that has been checked. */
export function conditionsOf(filter: unknown): Condition[] {
  const found: Condition[] = []
  const walk = (part: { [key: string]: unknown }, negated: boolean) => {
    for (const [key, value] of Object.entries(part)) {
      if (key === '$not') walk(value as typeof part, true)
      else if (key.startsWith('$')) for (const one of value as (typeof part)[]) walk(one, negated)
      else if (!isPlainObject(value)) found.push({ key, types: negated ? undefined : [typeOf(value as AttrValue)] })
      else
        for (const [operator, operand] of Object.entries(value))
          found.push({ key, types: negated ? undefined : typesOf(operator, operand) })
    }
  }
  if (filter !== undefined) walk(filter as { [key: string]: unknown }, false)
  const all = new Map(found.map((one) => [JSON.stringify([one.key, one.types]), one]))
  return [...all.values()]
}

function typesOf(operator: string, operand: unknown): number[] | undefined {
  const matched = MATCHED[operator as keyof Operators]
  if (matched === ANY) return undefined
  if (matched !== OPERAND) return matched
  return [...new Set((operator === '$in' ? (operand as AttrValue[]) : [operand as AttrValue]).map(typeOf))]
}

const NAMES = {
  null: 'null',
  boolean: 'a boolean',
  number: 'a number',
  date: 'a date',
  string: 'a string',
  list: 'a list',
}
const nameOf = (type: number) => NAMES[TYPES[type]]

/** Returns how many records have each attribute of a filter, and says which conditions nothing can match. */
export function explained(counted: Counted[]): FilterKey[] {
  const keys = new Map<string, FilterKey>()
  for (const { key, types, counts } of counted) {
    const known: FilterKey = keys.get(key) ?? {
      key,
      records: counts.reduce((a, b) => a + b, 0),
      types: Object.fromEntries(TYPES.flatMap((type, i) => (counts[i] > 0 ? [[type, counts[i]]] : []))),
    }
    keys.set(key, known)
    known.note ??= noteOf(key, types, counts)
  }
  return [...keys.values()]
}

function noteOf(key: string, types: number[] | undefined, counts: number[]): string | undefined {
  const there = counts.flatMap((count, type) => (count > 0 ? [type] : []))
  if (there.length === 0) return `no record has the attribute ${JSON.stringify(key)}`
  if (!types || types.length === 0 || types.some((type) => counts[type] > 0)) return undefined
  const some = there.map((type) => `${counts[type]} ${counts[type] === 1 ? 'has' : 'have'} ${nameOf(type)}`)
  const advice =
    types.includes(STRING[0]) && there.includes(LIST[0]) ? '; $contains and $containsAny look into lists' : ''
  return `no record has ${types.map(nameOf).join(' or ')} under ${JSON.stringify(key)}, ${some.join(', ')}${advice}`
}
