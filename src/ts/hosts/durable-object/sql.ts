import { NidusError } from '../../errors/errors.js'
import type { SyncAccessHandle } from '../../types/index.js'
import type { DurableStorage } from '../../types/durable-object.js'
import { Extents, MAX_EXTENT, SMALL, damaged, type FileName, type StoredExtent, type Plan } from '../extents.js'

/**
 * An extent's key is one integer, its offset and this often its file: the row's own key, so that a row is written, and
 * counted, once.
 */
const ROOM = 2 ** 50
const VERSION = 1
/** All stores of the object, a row each. */
const STORES = 'nidus_stores'

/** The name that stores had before `open`'s counted. */
export const UNNAMED = 'default'
/** A store that somebody names so has a number from here up. */
const NAMED = 1_000_000

/** A store's row: what is the store, and whose. Extents of the other generation are an unfinished compaction's. */
export interface Row {
  store: number
  generation: number
  /** Lengths in bytes. */
  data: number
  log: number
  /** The last writer to have opened it. */
  epoch: string
  /** How often committed bytes were cut: whoever is reading must begin again. */
  cuts: number
}

type Sql = DurableStorage['sql']

/** Certainly not applied: the transaction threw what was thrown within it. */
export class NotApplied extends Error {
  constructor(cause: unknown) {
    super('not applied', { cause })
  }
}

/** All of it or nothing. */
export function atomically<T>(storage: DurableStorage, work: () => T): T {
  let own: { error: unknown } | undefined
  try {
    return storage.transactionSync(() => {
      try {
        return work()
      } catch (error) {
        own = { error }
        throw error
      }
    })
  } catch (error) {
    if (own?.error === error) throw new NotApplied(full(error) ?? error)
    throw new NidusError(
      'OUTCOME_UNKNOWN',
      `the transaction could be neither committed nor rolled back: ${String(error)}`,
      { cause: error },
    )
  }
}

const full = (error: unknown) =>
  error instanceof Error && error.message.includes('SQLITE_FULL')
    ? new NidusError('QUOTA_EXCEEDED', `the object's database is full: ${error.message}`, { cause: error })
    : undefined

const COLUMNS = ['store', 'name', 'version', 'generation', 'data', 'log', 'epoch', 'cuts']

/** Whether there is a table of ours of that name. Anything else of that name is refused. */
function isThere(sql: Sql, table: string, ours: string[]): boolean {
  const [found] = sql.exec('SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE', table)
  if (!found) return false
  const columns = new Set([...sql.exec(`SELECT name FROM pragma_table_info('${table}')`)].map(({ name }) => name))
  if (found['type'] === 'table' && ours.every((column) => columns.has(column))) return true
  throw new NidusError(
    'CORRUPT',
    `the ${found['type']} ${table} of this object is another program's. Nothing was changed: rename it, or keep the store in another object`,
  )
}

export function findRow(sql: Sql, name: string): Row | undefined {
  if (!isThere(sql, STORES, COLUMNS)) return undefined
  const [row] = sql.exec(`SELECT * FROM ${STORES} WHERE name = ?`, name)
  if (row && row['version'] !== VERSION)
    throw new NidusError('UNSUPPORTED_VERSION', `the store "${name}" was made by a later version of nidus-wasm`)
  return row as Row | undefined
}

/** Refuses what is not the table of a store's extents, before it is read, written or dropped. */
export const checkExtents = (sql: Sql, { store }: Row) => isThere(sql, tableOf(store), ['id', 'bytes'])

/** Whether the object has a store of an earlier version, which made it without asking for a name. */
export const isUnnamed = (sql: Sql) => (findRow(sql, UNNAMED)?.store ?? NAMED) < NAMED

export function makeStore(sql: Sql, name: string): Row {
  sql.exec(`CREATE TABLE IF NOT EXISTS ${STORES} (store INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
    generation INTEGER NOT NULL, data INTEGER NOT NULL, log INTEGER NOT NULL, epoch TEXT NOT NULL, cuts INTEGER NOT NULL)`)
  sql.exec(
    `INSERT INTO ${STORES} (store, name, version, generation, data, log, epoch, cuts) VALUES (?, ?, ${VERSION}, 0, 0, 0, '', 0)`,
    name === UNNAMED ? NAMED : null,
    name,
  )
  const row = findRow(sql, name)!
  const table = tableOf(row.store)
  const [orphan] = sql.exec('SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE', table)
  if (orphan)
    throw new NidusError('CORRUPT', `there is a table ${table}, and in ${STORES} nothing that says what is in it`)
  sql.exec(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)`)
  return row
}

export function putRow(sql: Sql, { store, generation, data, log, epoch, cuts }: Row) {
  sql.exec(
    `UPDATE ${STORES} SET generation = ?, data = ?, log = ?, epoch = ?, cuts = ? WHERE store = ?`,
    generation,
    data,
    log,
    epoch,
    cuts,
    store,
  )
}

/** And the table of the stores with the last of them. */
export function removeStore(sql: Sql, name: string) {
  const row = findRow(sql, name)
  if (!row) return
  checkExtents(sql, row)
  sql.exec(`DROP TABLE IF EXISTS ${tableOf(row.store)}`)
  sql.exec(`DELETE FROM ${STORES} WHERE store = ?`, row.store)
  if ([...sql.exec(`SELECT 1 FROM ${STORES} LIMIT 1`)].length === 0) sql.exec(`DROP TABLE ${STORES}`)
}

const tableOf = (store: number) => `nidus_extents_${store}`

const FILES: FileName[] = ['data', 'log']
/** Only two generations can be there at a time. */
const placeOf = (file: FileName, generation: number) => (2 * (generation % 2) + FILES.indexOf(file)) * ROOM

/** Extents of the generation that does not count. */
export function removeOthers(sql: Sql, { store, generation }: Row) {
  const other = placeOf('data', generation + 1)
  sql.exec(`DELETE FROM ${tableOf(store)} WHERE id >= ? AND id < ?`, other, other + 2 * ROOM)
}

/** Extents as rows of a table of the store's own. */
export class SqlExtents extends Extents implements SyncAccessHandle {
  readonly #sql: Sql
  readonly #table: string
  readonly #place: number
  readonly #current: () => void

  /** @param current throws if what is in the table is no longer what this was opened on */
  constructor(
    sql: Sql,
    file: FileName,
    { store, generation }: Row,
    length: number,
    check: () => void,
    current: () => void,
  ) {
    super(file, generation, length, check)
    this.#sql = sql
    this.#table = tableOf(store)
    this.#place = placeOf(file, generation)
    this.#current = current
  }

  /** Committed bytes only. */
  read(buffer: Uint8Array, { at }: { at: number }): number {
    this.#current()
    const end = Math.min(at + buffer.length, this.committed)
    if (end <= at) return 0
    const [from, to] = [this.#place + at, this.#place + end]
    const rows = this.#sql.exec(
      `SELECT id, bytes FROM ${this.#table} WHERE id >= (SELECT max(id) FROM ${this.#table} WHERE id <= ?) AND id < ? ORDER BY id`,
      from,
      to,
    )
    let filled = at
    for (const { id, bytes } of rows) {
      const begins = (id as number) - this.#place
      const part = new Uint8Array(bytes as ArrayBuffer)
      if (begins > filled || begins + part.length <= filled || (filled > at && begins !== filled))
        throw damaged(this.file, filled)
      const wanted = part.subarray(filled - begins, end - begins)
      buffer.set(wanted, filled - at)
      filled += wanted.length
    }
    if (filled !== end) throw damaged(this.file, filled)
    return end - at
  }

  /** To be merged with what follows: the small extents at the end. The file must end where it should. */
  findSmall() {
    const end = this.committed
    const rows = this.#sql.exec(
      `SELECT id, length(bytes) AS length FROM ${this.#table} WHERE id >= ? AND id < ? ORDER BY id DESC`,
      this.#place,
      this.#place + ROOM,
    )
    let from = end
    for (const { id, length } of rows) {
      const at = (id as number) - this.#place
      if (at + length !== from) {
        if (from === end) throw damaged(this.file, end)
        break
      }
      if (length > SMALL) break
      from = at
    }
    if (from === end) return
    const small = this.#sql.exec(
      `SELECT id, bytes FROM ${this.#table} WHERE id >= ? AND id < ? ORDER BY id`,
      this.#place + from,
      this.#place + end,
    )
    this.adopt(
      Array.from(small, ({ id, bytes }): StoredExtent => ({
        at: (id as number) - this.#place,
        bytes: new Uint8Array(bytes as ArrayBuffer),
      })),
    )
  }

  /** Everything of the plan, within a transaction. */
  put({ cutAt, merged, puts }: Plan) {
    if (cutAt !== undefined) this.#cut(cutAt)
    const [sql, table, place] = [this.#sql, this.#table, this.#place]
    if (merged) sql.exec(`DELETE FROM ${table} WHERE id >= ? AND id <= ?`, place + merged[0], place + merged[1])
    for (const { at, bytes } of puts) sql.exec(`INSERT INTO ${table} (id, bytes) VALUES (?, ?)`, place + at, bytes)
  }

  #cut(cutAt: number) {
    const [sql, table, place] = [this.#sql, this.#table, this.#place]
    sql.exec(`DELETE FROM ${table} WHERE id >= ? AND id < ?`, place + cutAt, place + ROOM)
    if (cutAt === 0) return
    // The one that the cut goes through. One that merely ends there is left as it is.
    const [last] = sql.exec(
      `SELECT id, length(bytes) AS length FROM ${table} WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1`,
      place + cutAt - MAX_EXTENT - 1,
      place + cutAt,
    )
    const keep = last ? cutAt - (last['id'] - place) : 0
    if (!last || last['length'] < keep) throw damaged(this.file, cutAt)
    if (last['length'] > keep)
      sql.exec(`UPDATE ${table} SET bytes = substr(bytes, 1, ?) WHERE id = ?`, keep, last['id'])
  }
}
