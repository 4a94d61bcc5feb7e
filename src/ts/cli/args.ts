// Options of the command line: what is unknown, said twice, or of no use to the command is refused by name.
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

/** Those that every command takes. */
const COMMON: string[] = ['json', 'help', 'version']

/** What stands between the options. `tell` has them before any is refused, as --json says how that is told. */
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
      throw new Usage(`${rawName} wants a value (one that begins with "-" is given as ${rawName}=-...)`)
    if (name in values) throw new Usage(`${rawName} is given twice`)
    values[name] = value
  }
  return positionals
}

/** Refuses the options that the command would pass over. */
export function allowed(values: Values, command: string, takes: string[]) {
  const idle = Object.keys(values).find((name) => !takes.includes(name) && !COMMON.includes(name))
  if (idle)
    throw new Usage(
      `${command} takes no --${idle}; it takes ${[...takes, 'json'].map((name) => `--${name}`).join(', ')}`,
    )
}
