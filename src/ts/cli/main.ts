// The command line, `npx nidus-wasm COMMAND DIR`. The directory may hold a store of native nidus or of this package.
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { argv, exit, stderr, stdout } from 'node:process'
import { Writable } from 'node:stream'
import type { Backend } from '../contract/backend.js'
import { Nidus } from '../api/nidus.js'
import { NidusError } from '../errors/errors.js'
import { checkOpen } from '../arguments/options.js'
import { nearest } from '../arguments/nearest.js'
import { nodePlatform } from '../platforms/node.js'
import type { Filter } from '../types/index.js'
import { Usage, allowed, parse, type Values } from './args.js'
import { npy, type Part } from './input.js'
import { jsonLines, linesOf } from './jsonl.js'
import { bytes, count, pairs, progress, say, table } from './output.js'
import { writeWhole, type Write } from './target.js'
import { parseExactly, tagged, untagged } from './values.js'
import { verify } from './verify.js'

const USAGE = `nidus-wasm COMMAND DIR [options]       works on a store of native nidus or of this package

  inspect DIR                            shows what the store holds
  verify DIR                             checks every byte; ends with 1 if it finds damage
  search DIR --vector '[0.1, ...]'       finds the documents nearest to a vector,
         or --like ID                    or nearest to a document
         [--top 10] [--collection NAME] [--filter JSON] [--min-score X]
  import DIR FILE.jsonl                  reads lines { "id", "vector", "attrs"?, "collection"? },
         [--collection NAME]             and files that export wrote
         [--batch 1000]
  import DIR FILE.npy                    reads a matrix; --ids names a text file with one id a line
         [--ids FILE] [--collection NAME] [--batch 1000]
  import DIR FILE.tar [--replace]        reads a whole store from a tar, or from a directory
  export DIR FILE                        writes the store as a tar, or its documents as lines of JSON (.jsonl);
                                         - writes the tar to stdout. An older file of that name is replaced
                                         once the new file is whole.
  compact DIR [--drop-unnamed]           rewrites the store without dead rows; with --drop-unnamed also without
                                         rows that the log does not name

  --json                                 prints one line of JSON instead of a table
  --help, --version

inspect, verify, search and export change nothing in the store.
The exit code is 0 if all is well, 1 if verify found damage, 2 if the call is wrong, and 3 if the store cannot be used
(the message then begins with the code of the error).
`

function wholeNumber(text: string | undefined, fallback: number, name: string): number {
  const number = text === undefined ? fallback : Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Usage(`--${name} must be a whole number from 1, not ${text}`)
  return number
}

function json<T>(
  text: string | undefined,
  name: string,
  parse: (text: string) => unknown = parseExactly,
): T | undefined {
  try {
    return text === undefined ? undefined : (parse(text) as T)
  } catch {
    throw new Usage(`--${name} is no JSON: ${text}`)
  }
}

const reading = (directory: string) => Nidus.open(directory, { readOnly: true })
const out = (values: Values, data: unknown, people: () => void) => (values.json ? say(JSON.stringify(data)) : people())

async function inspect(directory: string, _: string[], values: Values) {
  await using db = await reading(directory)
  const footprint = await db.footprint()
  const collections: { name: string; documents: number; meta: Record<string, string> }[] = []
  for (const name of await db.collections())
    collections.push({ name, documents: await db.count(name), meta: await db.getMeta(name) })
  const { memoryBytes: _memory, codedRows: _coded, ...facts } = footprint
  out(values, { directory, ...facts, recovery: db.recovery, collections }, () => {
    pairs([
      ['dimension', count(facts.dimension)],
      ['documents', count(facts.docCount)],
      ['rows', `${count(facts.rows)}, ${count(facts.deadRows)} of them dead`],
      ['on disk', bytes(facts.diskBytes)],
      ['readable by', `native nidus ${facts.readableBy} and later`],
      ...(db.recovery.orphanedRows
        ? [
            ['unnamed rows', `${count(db.recovery.orphanedRows)}, which the log does not name (verify tells more)`] as [
              string,
              string,
            ],
          ]
        : []),
      ...(db.recovery.bytes
        ? [['half-written end', `${bytes(db.recovery.bytes)}, which the next writer cuts off`] as [string, string]]
        : []),
    ])
    say('')
    table(
      ['collection', 'documents', 'metadata'],
      collections.map(({ name, documents, meta }) => [
        name,
        count(documents),
        Object.keys(meta).length ? JSON.stringify(meta) : '',
      ]),
    )
  })
  return 0
}

async function check(directory: string, _: string[], values: Values) {
  const { findings, documents, rows } = await verify(directory)
  out(values, { directory, clean: findings.length === 0, documents, rows, findings }, () => {
    if (findings.length === 0) return say(`clean: ${count(documents)} documents, ${count(rows)} rows`)
    table(
      ['file', 'offset', 'length', 'what'],
      findings.map(({ file = '', offset, length, what }) => [
        file,
        offset === undefined ? '' : `${offset}`,
        length === undefined ? '' : `${length}`,
        what,
      ]),
    )
  })
  return findings.length === 0 ? 0 : 1
}

async function search(directory: string, _: string[], values: Values) {
  if ((values.vector === undefined) === (values.like === undefined))
    throw new Usage('search needs either --vector or --like')
  await using db = await reading(directory)
  let query = json<number[]>(values.vector, 'vector', JSON.parse)
  if (values.like !== undefined) {
    for (const name of values.collection !== undefined ? [values.collection] : await db.collections())
      query ??= (await db.get(name, [values.like]))[0]?.vector as unknown as number[]
    if (!query) throw new NidusError('NOT_FOUND', `there is no document "${values.like}"`)
  }
  const filter = untagged(json(values.filter, 'filter'), '--filter') as Filter | undefined
  const minScore = values['min-score'] === undefined ? undefined : Number(values['min-score'])
  if (Number.isNaN(minScore) || values['min-score']?.trim() === '')
    throw new Usage(`--min-score must be a number, not ${values['min-score']}`)
  const hits = await db.search(query!, {
    topK: wholeNumber(values.top, 10, 'top'),
    ...(values.collection !== undefined && { collections: values.collection }),
    // A filter that is null is passed on, too: the search must refuse it, and not run without a filter.
    ...(filter !== undefined && { filter }),
    ...(minScore !== undefined && { minScore }),
  })
  out(
    values,
    hits.map((hit) => ({ ...hit, attrs: tagged(hit.attrs) })),
    () =>
      table(
        ['score', 'collection', 'id', 'attributes'],
        hits.map(({ score, collection, id, attrs }) => [
          score.toFixed(4),
          collection,
          id,
          JSON.stringify(tagged(attrs)),
        ]),
      ),
  )
  return 0
}

async function importInto(directory: string, [path]: string[], values: Values) {
  if (path === undefined) throw new Usage('import needs a file')
  if (!existsSync(path)) throw new NidusError('NOT_FOUND', `there is no ${path}`)
  const kind = statSync(path).isDirectory()
    ? 'a whole store'
    : /\.(jsonl|ndjson)$/i.test(path)
      ? 'lines of JSON'
      : /\.npy$/i.test(path)
        ? 'a .npy file'
        : 'a whole store'
  allowed(
    values,
    `import of ${kind}`,
    kind === 'a whole store'
      ? ['replace']
      : kind === 'a .npy file'
        ? ['collection', 'ids', 'batch']
        : ['collection', 'batch'],
  )
  const batch = wholeNumber(values.batch, 1000, 'batch')
  const bar = progress('importing')
  try {
    if (kind !== 'a whole store')
      return await importParts(
        directory,
        kind === 'a .npy file' ? npy(path, values.ids, batch) : jsonLines(path, statSync(path).size, batch),
        values,
        bar,
      )
    await using db = await Nidus.import(directory, path, { replace: values.replace ?? false, onProgress: bar.tell })
    const documents = await db.count()
    bar.end()
    out(values, { directory, documents }, () => say(`${count(documents)} documents in ${directory}`))
    return 0
  } finally {
    bar.end()
  }
}

async function importParts(
  directory: string,
  parts: AsyncGenerator<Part>,
  values: Values,
  bar: ReturnType<typeof progress>,
) {
  let db: Backend | undefined
  let documents = 0
  try {
    for await (const { collection: named, dimension, count, wire, vectors, meta, read, total } of parts) {
      db ??= await nodePlatform.open(
        { ...checkOpen(directory, { dimension }, 'fs'), storage: 'fs' },
        undefined,
        undefined,
      )
      if (dimension !== undefined && dimension !== db.dimension)
        throw new NidusError(
          'DIMENSION_MISMATCH',
          `the store "${directory}" has dimension ${db.dimension}, not ${dimension}`,
        )
      const collection = named ?? values.collection ?? 'default'
      if (vectors) documents += await db.call('upsert', { collection, count: count!, batch: wire!, vectors })
      else if (named !== undefined || meta) await db.call('createCollection', { collection })
      if (meta) await db.call('setMeta', { collection, meta })
      bar.tell(read, total)
    }
  } catch (error) {
    if (!(error instanceof NidusError) || documents === 0) throw error
    throw new NidusError(error.code, `${error.message} (the ${count(documents)} documents before it are written)`, {
      cause: error,
    })
  } finally {
    await db?.close()
    bar.end()
  }
  out(values, { directory, documents }, () => say(`${count(documents)} documents written to ${directory}`))
  return 0
}

async function exportFrom(directory: string, [path]: string[], values: Values) {
  if (path === undefined) throw new Usage('export needs a file, or - for stdout')
  if (path === '-') {
    await using db = await reading(directory)
    await db.export().pipeTo(Writable.toWeb(stdout), { preventClose: true })
    return 0
  }
  const bar = progress('exporting')
  const documents = await writeWhole(path, (write) =>
    /\.(jsonl|ndjson)$/i.test(path) ? exportLines(directory, write, bar) : exportTar(directory, write, bar),
  ).finally(bar.end)
  const { size } = statSync(path)
  out(values, { file: path, bytes: size, documents }, () =>
    say(`${count(documents)} documents in ${path}, ${bytes(size)}`),
  )
  return 0
}

async function exportLines(directory: string, write: Write, bar: ReturnType<typeof progress>) {
  const db = await nodePlatform.open(
    { ...checkOpen(directory, { readOnly: true }, 'fs'), storage: 'fs' },
    undefined,
    undefined,
  )
  try {
    const { docCount } = await db.call('footprint', {})
    const encoder = new TextEncoder()
    let done = 0
    for await (const { text, documents } of linesOf(db)) {
      await write(encoder.encode(`${text}\n`))
      bar.tell((done += documents), docCount)
    }
    return done
  } finally {
    await db.close()
  }
}

async function exportTar(directory: string, write: Write, bar: ReturnType<typeof progress>) {
  await using db = await reading(directory)
  const { diskBytes, docCount } = await db.footprint()
  let done = 0
  for await (const chunk of db.export() as unknown as AsyncIterable<Uint8Array>) {
    await write(chunk)
    bar.tell((done += chunk.length), diskBytes)
  }
  return docCount
}

async function compact(directory: string, _: string[], values: Values) {
  if (!existsSync(directory)) throw new NidusError('NOT_FOUND', `there is no ${directory}`)
  await using db = await openThere(directory, values['drop-unnamed'])
  const before = await db.footprint()
  if (before.deadRows > 0) await db.compact()
  const after = await db.footprint()
  out(values, { directory, before: before.diskBytes, after: after.diskBytes, deadRows: before.deadRows }, () =>
    say(
      before.deadRows === 0
        ? 'nothing to do: no dead rows'
        : `${count(before.deadRows)} dead rows removed: ${bytes(before.diskBytes)} before, ${bytes(after.diskBytes)} now`,
    ),
  )
  return 0
}

/**
 * Opens an existing store for writing. It is first opened for reading, so that no byte of a store that may be damaged
 * is changed.
 */
async function openThere(directory: string, dropUnnamed = false) {
  const { dimension, recovery } = await (async () => {
    await using db = await reading(directory)
    return db
  })()
  if (recovery.orphanedRows && !dropUnnamed) {
    throw new NidusError(
      'INVALID_ARGUMENT',
      `${count(recovery.orphanedRows)} rows in ${directory} are not named by any operation of the log. An interrupted write leaves such rows, and so does a log that lost its end. Nothing was changed: if you have no better copy of the log, compact with --drop-unnamed`,
    )
  }
  return Nidus.open(directory, { dimension, autoCompact: false })
}

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
  search: { work: search, takes: ['vector', 'like', 'top', 'collection', 'filter', 'min-score'], names: 1 },
  import: { work: importInto, takes: ['collection', 'ids', 'batch', 'replace'], names: 2 },
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
    if (more.length >= command.names)
      throw new Usage(`${name} does not know what to do with "${more[command.names - 1]}"`)
    return await command.work(directory, more, values)
  } catch (error) {
    const coded = error instanceof NidusError ? error.code : undefined
    const wrong = error instanceof Usage
    const message = error instanceof Error ? error.message : String(error)
    if (values.json) say(JSON.stringify({ error: { code: coded ?? (wrong ? 'USAGE' : 'FAILED'), message } }))
    else
      stderr.write(
        `nidus-wasm: ${coded ? `${coded}: ` : ''}${message}\n${wrong ? '\nnidus-wasm --help lists the commands and options\n' : ''}`,
      )
    return wrong ? 2 : 3
  }
}
