import { existsSync, statSync } from 'node:fs'
import type { Backend } from '../contract/backend.js'
import { checkKeys } from '../arguments/keys.js'
import { Writer, checkString, describe } from '../core/wire.js'
import { NidusError, invalid } from '../errors/errors.js'
import { Usage, type Values } from './args.js'
import { wholeNumber } from './given.js'
import { lines, parse } from './jsonl.js'
import { count, out, progress, say } from './output.js'
import { existing, openBackend } from './stores.js'
import { writeAttrs } from './values.js'

const CHANGE = { id: 1, attrs: 1, remove: 1, collection: 1 } as const

interface Changes {
  collection: string
  count: number
  writer: Writer
  /** The bytes of the file up to here. */
  read: number
}

/** Changes attributes of documents, as the lines of a file say, and leaves their vectors as they are. */
export async function update(directory: string, [path]: string[], values: Values) {
  if (path === undefined) throw new Usage('update needs a file')
  if (!existsSync(path)) throw new NidusError('NOT_FOUND', `there is no ${path}`)
  const total = statSync(path).size
  const batch = wholeNumber(values.batch, 1000, 'batch')
  const { dimension } = await existing(directory)
  const bar = progress('updating')
  let db: Backend | undefined
  let documents = 0
  try {
    for await (const { collection, count, writer, read } of changes(path, values.collection ?? 'default', batch)) {
      db ??= await openBackend(directory, { dimension, autoCompact: false })
      documents += await db.call('update', { collection, count, batch: writer.finish() })
      bar.tell(read, total)
    }
  } catch (error) {
    if (!(error instanceof NidusError) || documents === 0) throw error
    throw new NidusError(
      error.code,
      `${error.message} (the ${count(documents)} changes of earlier batches are written)`,
      {
        cause: error,
      },
    )
  } finally {
    await db?.close()
    bar.end()
  }
  out(values, { directory, documents }, () => say(`${count(documents)} documents changed in ${directory}`))
  return 0
}

/** Reads changes from the lines of a file, in batches of one collection each. */
async function* changes(path: string, fallback: string, batch: number): AsyncGenerator<Changes> {
  let number = 0
  let part: Changes | undefined
  const who = () => `${path}, line ${number}`
  for await (const { bytes, read } of lines(path)) {
    number++
    const line = parse(bytes, number === 1, who)
    if (!line) continue
    checkKeys(line, CHANGE, who)
    const { id, attrs, collection = fallback } = line
    checkString(collection, () => `${who()}: "collection"`)
    checkString(id, () => `${who()}: "id"`)
    const remove = removedBy(line, who)
    if (part && (part.count >= batch || part.collection !== collection)) {
      yield part
      part = undefined
    }
    part ??= { collection, count: 0, writer: new Writer(1 << 16), read }
    part.writer.str(id)
    writeAttrs(part.writer, attrs, who, remove)
    part.count++
    part.read = read
  }
  if (part) yield part
}

function removedBy({ attrs, remove }: Record<string, unknown>, who: () => string): string[] {
  if (attrs === undefined && remove === undefined) throw invalid(`${who()}: neither "attrs" nor "remove" is there`)
  if (remove === undefined) return []
  if (!Array.isArray(remove)) throw invalid(`${who()}: "remove" must be a list of names, not ${describe(remove)}`)
  const gone = remove as unknown[]
  gone.forEach((key, i) => {
    checkString(key, () => `${who()}: remove[${i}]`)
    if (attrs && Object.hasOwn(attrs, key)) throw invalid(`${who()}: ${describe(key)} is both set and removed`)
  })
  return [...new Set(gone as string[])]
}
