import type { Nidus } from '../api/nidus.js'
import { NidusError } from '../errors/errors.js'
import type { TextConfig, TextSettings } from '../types/index.js'
import { Usage, type Values } from './args.js'
import { keyedObject } from './given.js'
import { out, progress, say, table } from './output.js'
import { checkCollection, quoted, reading, writing } from './stores.js'

/** Returns the command that sets in which attributes words are found. */
export const remedy = (directory: string, collection = 'COLLECTION') =>
  `nidus-wasm text ${quoted(directory)} ${quoted(collection)} --fields NAME,...`

/** Returns the text settings of a collection. If they cannot be read, throws an error that says how to replace them. */
export const settingsOf = (db: Nidus, directory: string, collection: string): Promise<TextSettings | undefined> =>
  db.getText(collection).catch((error: unknown) => {
    throw error instanceof NidusError && error.code === 'UNSUPPORTED'
      ? new NidusError(error.code, error.message.replace('setText', remedy(directory, collection)), { cause: error })
      : error
  })

/** Shows in which attributes words are found, or sets this for one collection. */
export async function text(directory: string, [collection]: string[], values: Values) {
  const { fields, remove } = values
  if (fields === undefined && !remove) {
    await using db = await reading(directory)
    if (collection !== undefined) await checkCollection(db, directory, collection)
    return await tell(db, directory, collection, values)
  }
  if (fields !== undefined && remove) throw new Usage('text takes --fields or --remove, not both')
  if (collection === undefined) throw new Usage(`text needs a collection for --${remove ? 'remove' : 'fields'}`)
  const config = fields === undefined ? null : (keyedObject(fields, 'fields', 'weight') as TextConfig)
  await using db = await writing(directory)
  // A name with a typing error must not make a collection.
  await checkCollection(db, directory, collection)
  const bar = progress('reading the texts')
  try {
    await db.setText(collection, config, { onProgress: bar.tell })
  } finally {
    bar.end()
  }
  return await tell(db, directory, collection, values)
}

async function tell(db: Nidus, directory: string, collection: string | undefined, values: Values) {
  const all: { collection: string; text: TextSettings | null }[] = []
  for (const name of collection !== undefined ? [collection] : await db.collections())
    all.push({ collection: name, text: (await settingsOf(db, directory, name)) ?? null })
  out(values, collection !== undefined ? all[0] : all, () => {
    const rows = all.flatMap(({ collection, text }) =>
      Object.entries(text ?? {}).map(([field, { weight }]) => [collection, field, `${weight}`]),
    )
    if (rows.length) table(['collection', 'field', 'weight'], rows)
    else say(`no text settings: \`${remedy(directory, collection)}\` sets them`)
  })
  return 0
}
