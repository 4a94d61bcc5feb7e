import { invalid } from '../errors/errors.js'
import type { Persistence, PersistenceOptions } from '../types/index.js'
import { describe } from '../core/wire.js'

/** Returns the browser's answer, or undefined if there is none in time. The browser may ask the user first. */
async function answer<T>(ask: () => Promise<T> | undefined, limit: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limit)
  })
  try {
    return await Promise.race([ask(), late])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

export async function persistence({ request = false, timeout = 3000 }: PersistenceOptions): Promise<Persistence> {
  // A timer holds 31 bits.
  if (!(typeof timeout === 'number' && timeout >= 0 && timeout < 2 ** 31))
    throw invalid(`timeout must be a number of milliseconds, from 0 to 2147483647, not ${describe(timeout)}`)
  let storage: Partial<StorageManager> | undefined
  try {
    storage = globalThis.navigator?.storage
  } catch {
    // Reading the property may throw if storage is denied.
  }
  const [kept, room] = await Promise.all([
    // Workers have no `persist`.
    answer(() => (request && storage?.persist ? storage.persist() : storage?.persisted?.()), timeout),
    answer(() => storage?.estimate?.(), timeout),
  ])
  return {
    state: kept === undefined ? 'unknown' : kept ? 'persistent' : 'best-effort',
    ...(room?.usage !== undefined && { usage: room.usage }),
    ...(room?.quota !== undefined && { quota: room.quota }),
  }
}
