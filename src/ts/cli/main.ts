// The command line, `npx nidus-wasm COMMAND DIR`. The directory may hold a store of native nidus or of this package.
import { readFile } from 'node:fs/promises'
import { argv, exit, stderr, stdout } from 'node:process'
import { NidusError } from '../errors/errors.js'
import { nearest } from '../arguments/nearest.js'
import { LOOSE, Usage, allowed, parse, type Values } from './args.js'
import { compact } from './compact.js'
import { exportFrom } from './export.js'
import { importInto } from './import.js'
import { inspect } from './inspect.js'
import { say } from './output.js'
import { SEARCH, search } from './search.js'
import { text } from './text.js'
import { update } from './update.js'
import { USAGE } from './usage.js'
import { check } from './verify.js'

interface Command {
  work(directory: string, more: string[], values: Values): Promise<number>
  /** The options of this command alone. */
  takes: (keyof Values)[]
  /** The number of names that follow the command. */
  names: number
}

const COMMANDS: Record<string, Command> = {
  inspect: { work: inspect, takes: [], names: 1 },
  verify: { work: check, takes: [], names: 1 },
  search: { work: search, takes: SEARCH, names: 1 },
  text: { work: text, takes: ['fields', 'remove'], names: 2 },
  import: { work: importInto, takes: ['collection', 'ids', 'batch', 'replace'], names: 2 },
  update: { work: update, takes: ['collection', 'batch'], names: 2 },
  export: { work: exportFrom, takes: [], names: 2 },
  compact: { work: compact, takes: ['drop-unnamed'], names: 1 },
}

/** Runs the command line. Returns the exit code. */
export async function main(): Promise<number> {
  // It is no error if the reader of a pipe (`| head`) stops early.
  stdout.on('error', (error: NodeJS.ErrnoException) => exit(error.code === 'EPIPE' ? 0 : 3))
  let values: Values = {}
  try {
    const parsed = parse(argv.slice(2), (given) => (values = given))
    const [name, directory, ...more] = parsed
    if (values.version) {
      say(
        (JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
          .version,
      )
      return 0
    }
    if (values.help) {
      say(USAGE)
      return 0
    }
    if (name === undefined && !values.json) {
      stderr.write(USAGE)
      return 2
    }
    const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined
    if (!command)
      throw new Usage(
        name === undefined
          ? 'a command is needed'
          : `there is no command "${name}"${nearest(name, Object.keys(COMMANDS))}`,
      )
    allowed(values, name, command.takes)
    if (directory === undefined) throw new Usage(`${name} needs a directory`)
    if (more.length >= command.names) {
      const loose = LOOSE.find((option) => values[option] === true)
      const hint = loose
        ? ` (a value of --${loose} is written --${loose}=VALUE)`
        : name === 'search' && values.text === undefined
          ? " (words to search for are written --text 'words')"
          : ''
      throw new Usage(`${name} does not know what to do with "${more[command.names - 1]}"${hint}`)
    }
    return await command.work(directory, more, values)
  } catch (error) {
    const coded = error instanceof NidusError ? error.code : undefined
    const wrong = error instanceof Usage
    const message = error instanceof Error ? error.message : String(error)
    if (values.json) say(JSON.stringify({ error: { code: coded ?? (wrong ? 'USAGE' : 'FAILED'), message } }))
    else
      stderr.write(
        `nidus-wasm: ${coded ? `${coded}: ` : ''}${message}\n` +
          (wrong ? '\nnidus-wasm --help lists the commands and options\n' : ''),
      )
    return wrong ? 2 : 3
  }
}
