import { NidusError, storageError } from '../errors/errors.js'
import { connect } from '../hosts/indexeddb/database.js'

const DATABASE = 'nidus-wasm'
const STORES = 'stores'

/** A kind of storage of browsers. */
export type Kind = 'opfs' | 'indexeddb'
interface Entry {
  kind: Kind
}

/** Runs one durable transaction on the origin's list of stores. Creates the list only if `make` is true. */
async function inRegistry(
  mode: IDBTransactionMode,
  make: boolean,
  name: string,
  work: (found: Entry | undefined, stores: IDBObjectStore) => Entry | undefined,
) {
  let db: IDBDatabase | undefined
  try {
    db = await connect(DATABASE, 'list of stores', make && ((made) => made.createObjectStore(STORES)))
    const transaction = db.transaction(STORES, mode, { durability: 'strict' })
    return await new Promise<Kind | undefined>((resolve, reject) => {
      const stores = transaction.objectStore(STORES)
      const request: IDBRequest<Entry | undefined> = stores.get(name)
      let entry: Entry | undefined
      request.onsuccess = () => (entry = work(request.result, stores))
      transaction.oncomplete = () => resolve(entry?.kind)
      transaction.onabort = () => reject(transaction.error ?? new Error('the browser aborted the transaction'))
    })
  } catch (error) {
    if (error instanceof NidusError && error.code === 'NOT_FOUND') return undefined
    throw storageError(error, `the kind of storage of "${name}" could not be ${make ? 'recorded' : 'looked up'}`, true)
  } finally {
    db?.close()
  }
}

export const recordedKind = (name: string) => inRegistry('readonly', false, name, (found) => found)

/**
 * Records the kind of a store, unless one is recorded, and returns the recorded one. If two openings record at once,
 * both get the first one's. The record is durable once this resolves.
 */
export const recordKind = async (name: string, kind: Kind) =>
  (await inRegistry('readwrite', true, name, (found, stores) => {
    if (!found) stores.put({ kind } satisfies Entry, name)
    return found ?? { kind }
  }))!

export const forgetKind = (name: string, kind: Kind) =>
  inRegistry('readwrite', false, name, (found, stores) => {
    if (found?.kind === kind) stores.delete(name)
    return undefined
  })
