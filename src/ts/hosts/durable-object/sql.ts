import { NidusError } from '../../errors/errors.js'
import type { SyncAccessHandle } from '../../types/index.js'
import type { DurableStorage } from '../../types/durable-object.js'
import { Extents, MAX_EXTENT, SMALL, damaged, type FileName, type StoredExtent, type Plan } from '../extents.js'

/**
 * The distance between the keys of two files. The key of an extent is one integer: its offset plus a multiple of this
 * number that stands for the file. The integer is the row's own key, so that each extent is written, and billed, as one
 * row.
 */
const ROOM = 2 ** 50
const VERSION = 1
/** The table with one row for each store of the object. */
const STORES = 'nidus_stores'

/** The name of stores that were made before the name given to `open` was used. */
export const UNNAMED = 'default'
/** The least number of a store that the caller named `default`. It sets such a store apart from an unnamed one. */
const NAMED = 1_000_000

/**
 * The row of a store: which extents belong to it, and who writes to it. Extents of the other generation were left by an
 * unfinished compaction.
 */
export interface Row {
  store: number
  generation: number
  /** Lengths in bytes. */
  data: number
  log: number
  /** The random number of the last writer that opened the store. */
  epoch: string
  /** How often committed bytes were cut off. After a cut, a reader must begin again. */
  cuts: number
}

type Sql = DurableStorage['sql']

/** The transaction was certainly not applied: it threw the error that was thrown inside it. */
export class NotApplied extends Error {
  constructor(cause: unknown) {
    super('not applied', { cause })
  }
}

/** Does all of `work` in one transaction, or nothing of it. */
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

/** Returns whether there is a table of ours with that name. Refuses anything else with that name. */
function isThere(sql: Sql, table: string, ours: string[]): boolean {
  const [found] = sql.exec('SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE', table)
  if (!found) return false
  const columns = new Set([...sql.exec(`SELECT name FROM pragma_table_info('${table}')`)].map(({ name }) => name))
  if (found['type'] === 'table' && ours.every((column) => columns.has(column))) return true
  throw new NidusError(
    'CORRUPT',
    `the ${found['type']} ${table} of this object is another program's. Nothing was changed: rename it, or keep ` +
      'the store in another object',
  )
}

export function findRow(sql: Sql, name: string): Row | undefined {
  if (!isThere(sql, STORES, COLUMNS)) return undefined
  const [row] = sql.exec(`SELECT * FROM ${STORES} WHERE name = ?`, name)
  if (row && row['version'] !== VERSION)
    throw new NidusError('UNSUPPORTED_VERSION', `the store "${name}" was made by a later version of nidus-wasm`)
  return row as Row | undefined
}

/** Refuses a table that does not hold a store's extents, before it is read, written or dropped. */
export const checkExtents = (sql: Sql, { store }: Row) => isThere(sql, tableOf(store), ['id', 'bytes'])

/** Returns whether the object has a store that an earlier version made without a name. */
export const isUnnamed = (sql: Sql) => (findRow(sql, UNNAMED)?.store ?? NAMED) < NAMED

export function makeStore(sql: Sql, name: string): Row {
  sql.exec(`CREATE TABLE IF NOT EXISTS ${STORES} (store INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL, generation INTEGER NOT NULL, data INTEGER NOT NULL, log INTEGER NOT NULL,
    epoch TEXT NOT NULL, cuts INTEGER NOT NULL)`)
  sql.exec(
    `INSERT INTO ${STORES} (store, name, version, generation, data, log, epoch, cuts) VALUES (?, ?, ${VERSION}, 0, ` +
      `0, 0, '', 0)`,
    name === UNNAMED ? NAMED : null,
    name,
  )
  const row = findRow(sql, name)!
  const table = tableOf(row.store)
  const [orphan] = sql.exec('SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE', table)
  if (orphan) throw new NidusError('CORRUPT', `there is a table ${table}, but ${STORES} has no row for it`)
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

/** Removes a store, and the table of stores if this was the last one. */
export function removeStore(sql: Sql, name: string) {
  const row = findRow(sql, name)
  if (!row) return
  checkExtents(sql, row)
  sql.exec(`DROP TABLE IF EXISTS ${tableOf(row.store)}`)
  sql.exec(`DELETE FROM ${STORES} WHERE store = ?`, row.store)
  if ([...sql.exec(`SELECT 1 FROM ${STORES} LIMIT 1`)].length === 0) sql.exec(`DROP TABLE ${STORES}`)
}

export const tableOf = (store: number) => `nidus_extents_${store}`

const FILES: FileName[] = ['data', 'log']
/** Returns the least key of a file. Only two generations exist at a time, so even or odd is enough. */
const placeOf = (file: FileName, generation: number) => (2 * (generation % 2) + FILES.indexOf(file)) * ROOM

/** The key of the first piece of the file of the indexes of words. All keys from here on are its. */
export const WORDS_PLACE = 4 * ROOM

/** Removes the extents of the generation that is not current. */
export function removeOthers(sql: Sql, { store, generation }: Row) {
  const other = placeOf('data', generation + 1)
  sql.exec(`DELETE FROM ${tableOf(store)} WHERE id >= ? AND id < ?`, other, other + 2 * ROOM)
}

/** One file of a store. Each of its extents is a row in the store's table. */
export class SqlExtents extends Extents implements SyncAccessHandle {
  readonly #sql: Sql
  readonly #table: string
  readonly #place: number
  readonly #current: () => void

  /** @param current throws if the table no longer holds the state that was opened */
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

  /** Reads committed bytes only. */
  read(buffer: Uint8Array, { at }: { at: number }): number {
    this.#current()
    const end = Math.min(at + buffer.length, this.committed)
    if (end <= at) return 0
    const [from, to] = [this.#place + at, this.#place + end]
    const rows = this.#sql.exec(
      `SELECT id, bytes FROM ${this.#table} WHERE id >= (SELECT max(id) FROM ${this.#table} WHERE id <= ?) AND id ` +
        '< ? ORDER BY id',
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

  /**
   * Finds the small extents at the end of the file, so that later bytes can be merged with them. Throws if the file
   * does not end at the recorded length.
   */
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

  /** Carries out the plan. The caller has a transaction open. */
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
    // Shortens the extent that the cut goes through. An extent that ends at the cut stays as it is.
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
