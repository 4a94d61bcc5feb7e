import { NidusError } from '../../errors/errors.js'

const PREFIX = 'nidus-wasm:'
/** Not one of the stores' names. */
const SCRATCH = 'nidus-wasm-log'
const VERSION = 1
/** Behind somebody's pending deletion a request may wait for ever, and be told nothing. */
const ANSWER_MS = 10_000

/** What is the store, and whose. Extents of another generation than this one are an unfinished compaction's. */
export interface Meta {
  generation: number
  /** Lengths in bytes. */
  data: number
  log: number
  /** The last writer to have opened it. */
  epoch: string
  /** How often committed bytes were cut: whoever is reading must begin again. */
  cuts: number
}

export const META = 'meta'
export const EXTENTS = 'extents'
export const META_KEY = 'store'

export const databaseName = (name: string) => PREFIX + name
export const lockName = (name: string) => `nidus-wasm:indexeddb:${name}`

export function factory(): IDBFactory {
  // In some embedded pages the mere mention throws.
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
    `the database "${databaseName(name)}" is another program's, which keeps ${stores.join(', ') || 'nothing'} in it. Nothing was changed: use another name, or remove it`,
  )
}

function makeStore(db: IDBDatabase) {
  db.createObjectStore(EXTENTS)
  const meta: Meta = { generation: 0, data: 0, log: 0, epoch: '', cuts: 0 }
  db.createObjectStore(META).put(meta, META_KEY)
}

/** Without `make` a database that is not there is NOT_FOUND and stays that way. */
export async function connect(
  database: string,
  what: string,
  make: false | ((db: IDBDatabase) => void),
): Promise<IDBDatabase> {
  const none = () => new NidusError('NOT_FOUND', `there is no ${what} in IndexedDB`)
  // Trying would do, but WebKit keeps the names of databases that it was told not to make.
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
      // Firefox, where storage is forbidden.
      else if (error?.name === 'InvalidStateError')
        reject(
          new NidusError('STORAGE_UNAVAILABLE', `IndexedDB cannot be used here: ${error.message}`, { cause: error }),
        )
      else reject(error ?? new Error('the database could not be opened'))
    }
  })
}

/** Deletes it if all that is in it is a store's, which `check` throws at if not. */
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
    // Connections of ours let go when they are asked to.
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
 * Where a killed browser left half a record at the end of its log, Chromium goes on behind it, and at the start after
 * that takes the two for one damaged record: then it deletes all databases of the origin. It begins a new log when a
 * database is deleted. Best effort: a full disk must not keep a store closed.
 */
export async function renewLog(): Promise<void> {
  // Nobody but Chromium has that.
  if (typeof IDBVersionChangeEvent === 'undefined' || !('dataLoss' in IDBVersionChangeEvent.prototype)) return
  try {
    ;(await connect(SCRATCH, 'scratch database', () => {})).close()
    await drop(SCRATCH, 'scratch database')
  } catch {
    // The store's own opening tells what is wrong, if it hinders that.
  }
}

export interface Transaction {
  meta: IDBObjectStore
  extents: IDBObjectStore
  /** What is done with a request's result; a throw aborts the transaction, and is what it rejects with. */
  then<T>(request: IDBRequest<T>, work: (result: T) => void): void
}

/** Certainly not applied: the browser said so, or it was ours to abort. */
export class NotApplied extends Error {
  constructor(cause: unknown) {
    super('not applied', { cause })
  }
}

/**
 * Resolves on `complete`, when all of it is on the medium, and rejects on `abort`; a request's own success says
 * neither.
 */
export function transact(
  db: IDBDatabase,
  mode: 'readonly' | 'readwrite',
  work: (transaction: Transaction) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // Strict for every one of them: Chromium keeps large values in files beside the database, synced only then.
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
          // It has been aborted already, and says so by its event.
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

/** The store's name for each database of ours. */
export async function databaseNames(): Promise<string[]> {
  const all = factory()
  if (typeof all.databases !== 'function')
    throw new NidusError('STORAGE_UNAVAILABLE', 'this browser does not tell which databases there are')
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
