// Reads the options of the command line. An option that is unknown, is given twice, or is of no use to the command is
// refused by name.
import { parseArgs } from 'node:util'
import { nearest } from '../arguments/nearest.js'

export class Usage extends Error {}

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  vector: { type: 'string' },
  like: { type: 'string' },
  top: { type: 'string' },
  collection: { type: 'string' },
  filter: { type: 'string' },
  'min-score': { type: 'string' },
  ids: { type: 'string' },
  batch: { type: 'string' },
  replace: { type: 'boolean' },
  'drop-unnamed': { type: 'boolean' },
  text: { type: 'string' },
  fusion: { type: 'string' },
  match: { type: 'string' },
  prefix: { type: 'boolean' },
  fuzzy: { type: 'boolean', or: 'string' },
  forms: { type: 'string' },
  fields: { type: 'string' },
  highlight: { type: 'boolean', or: 'string' },
  offset: { type: 'string' },
  'group-by': { type: 'string' },
  attrs: { type: 'string' },
  facets: { type: 'string' },
  explain: { type: 'boolean' },
  remove: { type: 'boolean' },
} as const
type Option = (typeof OPTIONS)[keyof typeof OPTIONS]
export type Values = {
  -readonly [K in keyof typeof OPTIONS]?: (typeof OPTIONS)[K] extends { or: 'string' }
    ? true | string
    : (typeof OPTIONS)[K]['type'] extends 'boolean'
      ? boolean
      : string
}

/** The options that every command takes. */
const COMMON: string[] = ['json', 'help', 'version']

/**
 * Reads the arguments. Returns those that are no options. `tell` gets the options before any is refused, because --json
 * decides how an error is reported.
 */
export function parse(args: string[], tell: (values: Values) => void): string[] {
  const { tokens, positionals } = parseArgs({
    args,
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const values: Record<string, string | boolean> = {}
  tell(values)
  if (tokens.some((token) => token.kind === 'option' && token.name === 'json')) values.json = true
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as keyof Values] : undefined
    if (!option)
      throw new Usage(`there is no option ${rawName}${nearest(name, Object.keys(OPTIONS)).replace(/`(.*)`/, '`--$1`')}`)
    if (value === undefined && takesNone(option)) {
      values[name] ??= true
      continue
    }
    if (takesNone(option) && !takesValue(option)) throw new Usage(`${rawName} takes no value`)
    if (value === undefined || (!inlineValue && /^-(?![\d.])/.test(value)))
      throw new Usage(`${rawName} needs a value (if it begins with "-", write ${rawName}=-...)`)
    if (name in values) throw new Usage(`${rawName} is given twice`)
    values[name] = value
  }
  return positionals
}

const takesNone = (option: Option) => option.type === 'boolean'
const takesValue = (option: Option) => option.type === 'string' || 'or' in option

/** The options that may stand alone, and take a value only after `=`. */
export const LOOSE = (Object.keys(OPTIONS) as (keyof Values)[]).filter(
  (name) => takesNone(OPTIONS[name]) && takesValue(OPTIONS[name]),
)

/** Refuses options that the command would ignore. */
export function allowed(values: Values, command: string, takes: string[]) {
  const useless = Object.keys(values).find((name) => !takes.includes(name) && !COMMON.includes(name))
  if (useless)
    throw new Usage(
      `${command} takes no --${useless}; it takes ${[...takes, 'json'].map((name) => `--${name}`).join(', ')}`,
    )
}
