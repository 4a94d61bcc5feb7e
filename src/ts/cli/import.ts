import { existsSync, statSync } from 'node:fs'
import type { Backend } from '../contract/backend.js'
import { Nidus } from '../api/nidus.js'
import { NidusError } from '../errors/errors.js'
import { Usage, allowed, type Values } from './args.js'
import { wholeNumber } from './given.js'
import { npy, type Part } from './input.js'
import { jsonLines } from './jsonl.js'
import { count, out, progress, say } from './output.js'
import { openBackend } from './stores.js'

/** Reads records, or a whole store, into a store. */
export async function importInto(directory: string, [path]: string[], values: Values) {
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
      db ??= await openBackend(directory, { dimension })
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
