// `npx nidus-wasm COMMAND DIR`: a store directory, native's or ours, from the command line.
import { createWriteStream, existsSync, statSync } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { exit, stdout } from 'node:process'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { Nidus, NidusError } from '../entry/node.js'
import type { Filter } from '../types/index.js'
import { invalid, jsonLines, npy, type Part } from './input.js'
import { bytes, count, pairs, progress, say, table } from './output.js'
import { verify } from './verify.js'

const USAGE = `nidus-wasm COMMAND DIR [options]       a store in a directory, native nidus's or this package's

  inspect DIR                            what is in it
  verify DIR                             is every byte as it should be? ends with 1 if not
  search DIR --vector '[0.1, ...]'       the nearest documents; or --like ID [--collection NAME]
         [--top 10] [--collection NAME] [--filter JSON] [--min-score X]
  import DIR FILE                        .jsonl: { "id", "vector", "attrs"?, "collection"? } a line
         [--collection NAME] [--ids FILE]  .npy: a matrix, with the ids in a text file, a line each
         [--batch 1000] [--replace]      .tar or a directory: a whole store
  export DIR FILE                        a tar of the store; .jsonl: its documents; - : the tar to stdout
  compact DIR                            rewrites it without dead rows

  --json                                 one line of JSON instead of a table
  --help, --version

inspect, verify, search and export change nothing. Ends with 0 if all is well, 1 if verify found damage, 2 if the call is wrong, 3 if the store cannot be used (the error's code is told).
`

const OPTIONS = {
  json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' }, vector: { type: 'string' }, like: { type: 'string' }, top: { type: 'string' }, collection: { type: 'string' },
  filter: { type: 'string' }, 'min-score': { type: 'string' }, ids: { type: 'string' }, batch: { type: 'string' }, replace: { type: 'boolean' },
} as const
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values']

class Usage extends Error {}

function wholeNumber(text: string | undefined, fallback: number, name: string): number {
  const number = text === undefined ? fallback : Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Usage(`--${name} must be a whole number from 1, not ${text}`)
  return number
}

function json<T>(text: string | undefined, name: string): T | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T)
  } catch {
    throw new Usage(`--${name} is no JSON: ${text}`)
  }
}

const reading = (directory: string) => Nidus.open(directory, { readOnly: true })
const out = (values: Values, data: unknown, people: () => void) => (values.json ? say(JSON.stringify(data, (_, value) => (typeof value === 'bigint' ? `${value}` : value))) : people())

async function inspect(directory: string, _: string[], values: Values) {
  await using db = await reading(directory)
  const footprint = await db.footprint()
  const collections: { name: string; documents: number; meta: Record<string, string> }[] = []
  for (const name of await db.collections()) collections.push({ name, documents: await db.count(name), meta: await db.getMeta(name) })
  const { memoryBytes: _memory, codedRows: _coded, ...facts } = footprint
  out(values, { directory, ...facts, recovery: db.recovery, collections }, () => {
    pairs([
      ['dimension', count(facts.dimension)],
      ['documents', count(facts.docCount)],
      ['rows', `${count(facts.rows)}, ${count(facts.deadRows)} of them dead`],
      ['on disk', bytes(facts.diskBytes)],
      ['readable by', `native nidus ${facts.readableBy} and later`],
      ...(db.recovery.bytes ? [['torn end', `${bytes(db.recovery.bytes)}, which the next writer cuts`] as [string, string]] : []),
    ])
    say('')
    table(['collection', 'documents', 'metadata'], collections.map(({ name, documents, meta }) => [name, count(documents), Object.keys(meta).length ? JSON.stringify(meta) : '']))
  })
  return 0
}

async function check(directory: string, _: string[], values: Values) {
  const { findings, documents, rows } = await verify(directory)
  out(values, { directory, clean: findings.length === 0, documents, rows, findings }, () => {
    if (findings.length === 0) return say(`clean: ${count(documents)} documents, ${count(rows)} rows`)
    table(['file', 'offset', 'length', 'what'], findings.map(({ file = '', offset, length, what }) => [file, offset === undefined ? '' : `${offset}`, length === undefined ? '' : `${length}`, what]))
  })
  return findings.length === 0 ? 0 : 1
}

async function search(directory: string, _: string[], values: Values) {
  if ((values.vector === undefined) === (values.like === undefined)) throw new Usage('search wants --vector or --like')
  await using db = await reading(directory)
  let query = json<number[]>(values.vector, 'vector')
  if (values.like !== undefined) {
    for (const name of values.collection ? [values.collection] : await db.collections()) query ??= (await db.get(name, [values.like]))[0]?.vector as unknown as number[]
    if (!query) throw new NidusError('NOT_FOUND', `there is no document "${values.like}"`)
  }
  const filter = json<Filter>(values.filter, 'filter')
  const minScore = values['min-score'] === undefined ? undefined : Number(values['min-score'])
  const hits = await db.search(query!, {
    topK: wholeNumber(values.top, 10, 'top'),
    ...(values.collection !== undefined && { collections: values.collection }),
    ...(filter && { filter }),
    ...(minScore !== undefined && { minScore }),
  })
  out(values, hits, () => table(['score', 'collection', 'id', 'attributes'], hits.map(({ score, collection, id, attrs }) => [score.toFixed(4), collection, id, JSON.stringify(attrs, (_, value) => (typeof value === 'bigint' ? `${value}` : value))])))
  return 0
}

async function importInto(directory: string, [path]: string[], values: Values) {
  if (path === undefined) throw new Usage('import wants a file')
  if (!existsSync(path)) throw new NidusError('NOT_FOUND', `there is no ${path}`)
  const bar = progress('importing')
  try {
    const batch = wholeNumber(values.batch, 1000, 'batch')
    const parts: AsyncGenerator<Part> | undefined = /\.(jsonl|ndjson)$/.test(path) ? jsonLines(path, statSync(path).size, batch) : /\.npy$/.test(path) ? npy(path, values.ids, batch) : undefined
    if (!parts) {
      await using db = await Nidus.import(directory, path, { replace: values.replace ?? false, onProgress: bar.tell })
      const documents = await db.count()
      bar.end()
      out(values, { directory, documents }, () => say(`${count(documents)} documents in ${directory}`))
      return 0
    }
    let db: Awaited<ReturnType<typeof Nidus.open>> | undefined
    let documents = 0
    try {
      for await (const { collection, read, total, ...columns } of parts) {
        if (columns.vectors.length === 0) throw invalid(`${path} has vectors of no numbers`)
        db ??= await Nidus.open(directory, { dimension: columns.vectors.length / columns.ids.length })
        documents += await db.upsert(collection ?? values.collection ?? 'default', columns)
        bar.tell(read, total)
      }
    } finally {
      await db?.close()
      bar.end()
    }
    out(values, { directory, documents }, () => say(`${count(documents)} documents written to ${directory}`))
    return 0
  } finally {
    bar.end()
  }
}

async function exportFrom(directory: string, [path]: string[], values: Values) {
  if (path === undefined) throw new Usage('export wants a file, or - for stdout')
  await using db = await reading(directory)
  if (path === '-') {
    await db.export().pipeTo(Writable.toWeb(stdout), { preventClose: true })
    return 0
  }
  const { diskBytes, docCount } = await db.footprint()
  const bar = progress('exporting')
  // Under another name until it is whole.
  const part = `${path}.part`
  try {
    let done = 0
    const file = createWriteStream(part, { flags: 'wx' })
    const sink = Writable.toWeb(file)
    if (/\.(jsonl|ndjson)$/.test(path)) {
      const writer = sink.getWriter()
      const encoder = new TextEncoder()
      for (const collection of await db.collections()) {
        for await (const { id, vector, attrs } of db.records(collection)) {
          await writer.write(encoder.encode(`${JSON.stringify({ collection, id, vector: Array.from(vector), attrs }, (_, value) => (typeof value === 'bigint' ? Number(value) : value))}\n`))
          bar.tell(++done, docCount)
        }
      }
      await writer.close()
    } else {
      const counted = new TransformStream<Uint8Array, Uint8Array>({ transform: (chunk, to) => (bar.tell((done += chunk.length), diskBytes), to.enqueue(chunk)) })
      await db.export().pipeThrough(counted).pipeTo(sink)
    }
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  } finally {
    bar.end()
  }
  out(values, { file: path, bytes: statSync(path).size, documents: docCount }, () => say(`${count(docCount)} documents in ${path}, ${bytes(statSync(path).size)}`))
  return 0
}

async function compact(directory: string, _: string[], values: Values) {
  if (!existsSync(directory)) throw new NidusError('NOT_FOUND', `there is no ${directory}`)
  await using db = await openThere(directory)
  const before = await db.footprint()
  if (before.deadRows > 0) await db.compact()
  const after = await db.footprint()
  out(values, { directory, before: before.diskBytes, after: after.diskBytes, deadRows: before.deadRows }, () =>
    say(before.deadRows === 0 ? 'nothing to do: no dead rows' : `${count(before.deadRows)} dead rows removed: ${bytes(before.diskBytes)} are ${bytes(after.diskBytes)} now`))
  return 0
}

/** For writing, and not made anew. */
async function openThere(directory: string) {
  const { dimension } = await (async () => {
    await using db = await reading(directory)
    return db
  })()
  return Nidus.open(directory, { dimension, autoCompact: false })
}

const COMMANDS: Record<string, (directory: string, more: string[], values: Values) => Promise<number>> = { inspect, verify: check, search, import: importInto, export: exportFrom, compact }

/** The exit code. */
export async function main(): Promise<number> {
  // A reader that has seen enough (`| head`) is no fault.
  stdout.on('error', (error: NodeJS.ErrnoException) => exit(error.code === 'EPIPE' ? 0 : 3))
  let values: Values = {}
  try {
    const parsed = parseArgs({ options: OPTIONS, allowPositionals: true })
    values = parsed.values
    const [name, directory, ...more] = parsed.positionals
    if (values.version) {
      say((JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version)
      return 0
    }
    if (values.help) {
      say(USAGE)
      return 0
    }
    if (name === undefined && !values.json) {
      process.stderr.write(USAGE)
      return 2
    }
    const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name!] : undefined
    if (!command) throw new Usage(name === undefined ? 'say what to do' : `there is no command "${name}"`)
    if (directory === undefined) throw new Usage(`${name} wants a directory`)
    return await command(directory, more, values)
  } catch (error) {
    const coded = error instanceof NidusError ? error.code : undefined
    const wrong = error instanceof Usage || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
    const message = error instanceof Error ? error.message : String(error)
    if (values.json) say(JSON.stringify({ error: { code: coded ?? (wrong ? 'USAGE' : 'FAILED'), message } }))
    else process.stderr.write(`nidus-wasm: ${coded ? `${coded}: ` : ''}${message}\n${wrong ? '\nnidus-wasm --help tells how it is used\n' : ''}`)
    return wrong ? 2 : 3
  }
}
