import type { Nidus } from '../api/nidus.js'
import { NidusError } from '../errors/errors.js'
import type { TextSettings } from '../types/index.js'
import type { Values } from './args.js'
import { bytes, count, out, pairs, say, table } from './output.js'
import { reading } from './stores.js'

/** Returns null for settings that cannot be read: all else can be shown. */
const settingsAt = (db: Nidus, name: string): Promise<TextSettings | null | undefined> =>
  db.getText(name).catch((error: unknown) => {
    if (error instanceof NidusError && error.code === 'UNSUPPORTED') return null
    throw error
  })

/** Shows what a store holds. */
export async function inspect(directory: string, _: string[], values: Values) {
  await using db = await reading(directory)
  const footprint = await db.footprint()
  const collections: { name: string; documents: number; meta: Record<string, string>; text?: TextSettings | null }[] =
    []
  for (const name of await db.collections()) {
    const text = await settingsAt(db, name)
    collections.push({
      name,
      documents: await db.count(name),
      meta: await db.getMeta(name),
      ...(text !== undefined && { text }),
    })
  }
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
      ['collection', 'documents', 'words in', 'metadata'],
      collections.map(({ name, documents, meta, text = {} }) => [
        name,
        count(documents),
        text ? Object.keys(text).join(', ') : 'cannot be read',
        Object.keys(meta).length ? JSON.stringify(meta) : '',
      ]),
    )
  })
  return 0
}
