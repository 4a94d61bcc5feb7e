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
} as const
export type Values = {
  -readonly [K in keyof typeof OPTIONS]?: (typeof OPTIONS)[K]['type'] extends 'boolean' ? boolean : string
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
    if (option.type === 'boolean') {
      if (value !== undefined) throw new Usage(`${rawName} takes no value`)
      values[name] = true
      continue
    }
    if (value === undefined || (!inlineValue && /^-(?![\d.])/.test(value)))
      throw new Usage(`${rawName} needs a value (if it begins with "-", write ${rawName}=-...)`)
    if (name in values) throw new Usage(`${rawName} is given twice`)
    values[name] = value
  }
  return positionals
}

/** Refuses options that the command would ignore. */
export function allowed(values: Values, command: string, takes: string[]) {
  const useless = Object.keys(values).find((name) => !takes.includes(name) && !COMMON.includes(name))
  if (useless)
    throw new Usage(
      `${command} takes no --${useless}; it takes ${[...takes, 'json'].map((name) => `--${name}`).join(', ')}`,
    )
}
