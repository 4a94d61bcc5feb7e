import { NidusError } from '../../errors/errors.js'

const PREFIX = 'nidus-wasm:'
/** The name of a scratch database. No store's database has this name. */
const SCRATCH = 'nidus-wasm-log'
const VERSION = 1
/**
 * A request is given up after this time. While a deletion is pending, a request may wait for ever, without any event.
 */
const ANSWER_MS = 10_000

/**
 * The row of a store: which extents belong to it, and who writes to it. Extents of another generation were left by an
 * unfinished compaction.
 */
export interface Meta {
  generation: number
  /** Lengths in bytes. */
  data: number
  log: number
  /** The random number of the last writer that opened the store. */
  epoch: string
  /** How often committed bytes were cut off. After a cut, a reader must begin again. */
  cuts: number
}

export const META = 'meta'
export const EXTENTS = 'extents'
export const META_KEY = 'store'

const databaseName = (name: string) => PREFIX + name
export const lockName = (name: string) => `nidus-wasm:indexeddb:${name}`

export function factory(): IDBFactory {
  // In some embedded pages even reading the property throws.
  let found: IDBFactory | undefined
  let cause: unknown
  try {
    found = globalThis.indexedDB
  } catch (error) {
    cause = error
  }
  if (found) return found
  throw new NidusError('STORAGE_UNAVAILABLE', 'IndexedDB does not exist here', { cause })
}

export async function openDatabase(name: string, create: boolean): Promise<IDBDatabase> {
  const db = await connect(databaseName(name), `database of "${name}"`, create && makeStore)
  const stores = [...db.objectStoreNames]
  if (stores.length === 2 && stores.includes(EXTENTS) && stores.includes(META)) return db
  db.close()
  throw new NidusError(
    'CORRUPT',
    `the database "${databaseName(name)}" is another program's, which keeps ${stores.join(', ') || 'nothing'} in ` +
      'it. Nothing was changed: use another name, or remove it',
  )
}

function makeStore(db: IDBDatabase) {
  db.createObjectStore(EXTENTS)
  const meta: Meta = { generation: 0, data: 0, log: 0, epoch: '', cuts: 0 }
  db.createObjectStore(META).put(meta, META_KEY)
}

/** Opens a database. Without `make`, a database that does not exist is NOT_FOUND and is not made. */
export async function connect(
  database: string,
  what: string,
  make: false | ((db: IDBDatabase) => void),
): Promise<IDBDatabase> {
  const none = () => new NidusError('NOT_FOUND', `there is no ${what} in IndexedDB`)
  // Opening it would be enough of a check, but WebKit lists a database even if its creation was aborted.
  const all = make
    ? undefined
    : await factory()
        .databases?.()
        .catch(() => undefined)
  if (all && !all.some(({ name }) => name === database)) throw none()
  return new Promise((resolve, reject) => {
    const request = factory().open(database, VERSION)
    let missing = false
    let late = false
    const timer = setTimeout(() => {
      late = true
      reject(new NidusError('STORAGE_UNAVAILABLE', `the browser did not open the ${what} within ${ANSWER_MS / 1000} s`))
    }, ANSWER_MS)
    request.onupgradeneeded = () => {
      if (make && !late) return make(request.result)
      missing = true
      request.transaction!.abort()
    }
    request.onsuccess = () => {
      clearTimeout(timer)
      if (late) request.result.close()
      else resolve(request.result)
    }
    request.onerror = (event) => {
      event.preventDefault()
      clearTimeout(timer)
      const { error } = request
      if (missing) reject(none())
      else if (error?.name === 'VersionError')
        reject(
          new NidusError('UNSUPPORTED_VERSION', `the ${what} was made by a later version of nidus-wasm`, {
            cause: error,
          }),
        )
      // Firefox fails like this where storage is forbidden.
      else if (error?.name === 'InvalidStateError')
        reject(
          new NidusError('STORAGE_UNAVAILABLE', `IndexedDB cannot be used here: ${error.message}`, { cause: error }),
        )
      else reject(error ?? new Error('the database could not be opened'))
    }
  })
}

/** Deletes the database of a store. `check` throws if anything in it does not belong to a store. */
export async function deleteDatabase(name: string, check: (db: IDBDatabase) => Promise<void>): Promise<void> {
  let db: IDBDatabase | undefined
  try {
    db = await openDatabase(name, false)
    await check(db)
  } catch (error) {
    if (error instanceof NidusError && error.code === 'NOT_FOUND') return
    throw error
  } finally {
    db?.close()
  }
  await drop(databaseName(name), `database of "${name}"`)
}

function drop(database: string, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = factory().deleteDatabase(database)
    // Connections of this package close when a deletion is announced.
    const timer = setTimeout(
      () => reject(new NidusError('LOCKED', `somebody has the ${what} open; it will be gone once that is closed`)),
      ANSWER_MS,
    )
    request.onsuccess = () => {
      clearTimeout(timer)
      resolve()
    }
    request.onerror = (event) => {
      event.preventDefault()
      clearTimeout(timer)
      reject(request.error ?? new Error('the database could not be deleted'))
    }
  })
}

/**
 * Makes Chromium begin a new log for the databases of this origin. A killed browser may leave half a record at the end
 * of that log. Chromium then appends more records after it. At the next start it takes the two for one damaged record,
 * and deletes all databases of the origin. It begins a new log when a database is deleted, so this makes a database and
 * deletes it. A failure is ignored: a full disk must not prevent the opening of a store.
 */
export async function renewLog(): Promise<void> {
  // Only Chromium has this property.
  if (typeof IDBVersionChangeEvent === 'undefined' || !('dataLoss' in IDBVersionChangeEvent.prototype)) return
  try {
    ;(await connect(SCRATCH, 'scratch database', () => {})).close()
    await drop(SCRATCH, 'scratch database')
  } catch {
    // If this hinders the opening of the store, that opening reports it.
  }
}

export interface Transaction {
  meta: IDBObjectStore
  extents: IDBObjectStore
  /**
   * Calls `work` with the result of a request. If `work` throws, the transaction aborts and rejects with that error.
   */
  then<T>(request: IDBRequest<T>, work: (result: T) => void): void
}

/** The transaction was certainly not applied: the browser said so, or this code aborted it. */
export class NotApplied extends Error {
  constructor(cause: unknown) {
    super('not applied', { cause })
  }
}

/**
 * Runs a transaction. Resolves on `complete`, when all of it is on the medium. Rejects on `abort`. The success of a
 * single request means neither.
 */
export function transact(
  db: IDBDatabase,
  mode: 'readonly' | 'readwrite',
  work: (transaction: Transaction) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // Every transaction is strict. Chromium keeps large values in files beside the database, and syncs them only then.
    const transaction = db.transaction([META, EXTENTS], mode, { durability: 'strict' })
    let own: { error: unknown } | undefined
    const attempt = (step: () => void) => {
      try {
        step()
      } catch (error) {
        own ??= { error }
        try {
          transaction.abort()
        } catch {
          // It is aborted already. The event reports it.
        }
      }
    }
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => {
      if (own) return reject(new NotApplied(own.error))
      const { error } = transaction
      reject(
        error?.name === 'QuotaExceededError'
          ? new NotApplied(error)
          : (error ?? new Error('the browser aborted the transaction')),
      )
    }
    attempt(() =>
      work({
        meta: transaction.objectStore(META),
        extents: transaction.objectStore(EXTENTS),
        then: (request, step) => {
          request.onsuccess = () => attempt(() => step(request.result))
        },
      }),
    )
  })
}

/** Returns the names of all stores that have a database. */
export async function databaseNames(): Promise<string[]> {
  const all = factory()
  if (typeof all.databases !== 'function')
    throw new NidusError('STORAGE_UNAVAILABLE', 'this browser cannot list its databases')
  return (await all.databases()).flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : []))
}

export async function hasDatabase(name: string): Promise<boolean> {
  try {
    ;(await openDatabase(name, false)).close()
    return true
  } catch (error) {
    if (error instanceof NidusError && error.code === 'NOT_FOUND') return false
    throw error
  }
}
