import type { Host, OpenSpec } from '../engine/backend.js'
import { NidusError } from '../errors.js'
import type { StorageKind, StoreInfo } from '../types/index.js'
import { destroyIndexeddb, indexeddbHost, listIndexeddb } from './indexeddb.js'
import { memoryHost } from './memory.js'
import { destroyOpfs, listOpfs, opfsHost } from './opfs.js'

/** What browsers have, for the worker and for the caller's thread alike. */
export function browserHost({ storage, name }: OpenSpec): Host {
  if (storage === 'opfs') return opfsHost(name)
  if (storage === 'indexeddb') return indexeddbHost(name)
  if (storage === 'memory') return memoryHost(name)
  throw new NidusError('UNSUPPORTED', `this version has no storage ${storage}`)
}

export async function browserList(storage: StorageKind): Promise<StoreInfo[]> {
  return storage === 'opfs' ? listOpfs() : storage === 'indexeddb' ? listIndexeddb() : []
}

export async function browserDestroy(storage: StorageKind, name: string): Promise<void> {
  if (storage === 'opfs') await destroyOpfs(name)
  if (storage === 'indexeddb') await destroyIndexeddb(name)
}
