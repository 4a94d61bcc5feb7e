// Opens stores for the commands.
import { existsSync } from 'node:fs'
import { Nidus } from '../api/nidus.js'
import { checkOpen } from '../arguments/options.js'
import type { Backend } from '../contract/backend.js'
import { NidusError } from '../errors/errors.js'
import { nodePlatform } from '../platforms/node.js'
import type { OpenOptions } from '../types/index.js'

/** Opens a store for reading. Nothing in its directory is changed. */
export const reading = (directory: string) => Nidus.open(directory, { readOnly: true })

/** Opens an existing store for writing. Nothing is made if there is none. */
export async function writing(directory: string): Promise<Nidus> {
  const { dimension } = await existing(directory)
  return Nidus.open(directory, { dimension, autoCompact: false })
}

/**
 * Opens a store as a backend, below the public classes, so that bytes that are encoded already can be written as they
 * are.
 */
export const openBackend = (directory: string, options: OpenOptions): Promise<Backend> =>
  nodePlatform.open({ ...checkOpen(directory, options, 'fs'), storage: 'fs' }, undefined, undefined)

/**
 * Returns the dimension of an existing store and what opening it would recover. It is opened for reading, so that no
 * byte of a store that may be damaged is changed.
 */
export async function existing(directory: string) {
  if (!existsSync(directory)) throw new NidusError('NOT_FOUND', `there is no ${directory}`)
  await using db = await reading(directory)
  return { dimension: db.dimension, recovery: db.recovery }
}

const MOST_SHOWN = 10
const shown = (names: string[]) =>
  names
    .slice(0, MOST_SHOWN)
    .map((name) => `"${name}"`)
    .join(', ') + (names.length > MOST_SHOWN ? ` and ${names.length - MOST_SHOWN} more` : '')

/** Throws if a store has no collection of that name. */
export async function checkCollection(db: Nidus, directory: string, name: string) {
  if (await db.hasCollection(name)) return
  const there = await db.collections()
  throw new NidusError(
    'NOT_FOUND',
    `there is no collection "${name}" in ${directory}` +
      (there.length ? `; there are ${shown(there)}` : ', which has none'),
  )
}

/** Returns a name as it is typed into a shell. */
export const quoted = (name: string) => (/^[\w./:@%+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`)
