import { NidusError } from '../errors/errors.js'
import type { Platform } from '../contract/platform.js'
import type { Backend } from '../contract/backend.js'
import {
  RemoteStore,
  remoteDestroy,
  remoteList,
  remoteSalvage,
  sendable,
  type StartWorker,
} from '../remote/remote-store.js'
import { isForbidden } from '../remote/worker-connection.js'
import type { StorageKind } from '../types/index.js'

const unavailable = (kind: StorageKind) =>
  new NidusError('STORAGE_UNAVAILABLE', `the storage "${kind}" does not exist in a browser`)

/**
 * Returns whether this thread can start a worker. A page starts one, because only dedicated workers have file handles.
 * A thread that cannot start a worker works without one.
 */
const canStart = () => typeof Worker !== 'undefined'

const here = () => import('./this-thread.js')
const salvageHere = () => import('./salvage-this-thread.js')

/** Runs `work` in a worker. If none can be started, runs `alone` in this thread, which then cannot use OPFS. */
async function inWorker<T>(kind: StorageKind | undefined, work: () => Promise<T>, alone: () => Promise<T>): Promise<T> {
  if (!canStart()) return alone()
  try {
    return await work()
  } catch (error) {
    if (!isForbidden(error)) throw error
    const why = (message: string) =>
      new NidusError('STORAGE_UNAVAILABLE', `${message}; ${(error as Error).message}`, { cause: error })
    if (kind === 'opfs') throw why('the storage "opfs" needs a worker')
    return alone().catch((other: NidusError) => {
      throw other.code === 'STORAGE_UNAVAILABLE' ? why(other.message) : other
    })
  }
}

/** `whole` returns the address of the wasm that a salvage needs. */
export function browserPlatform(startWorker: StartWorker, whole?: () => string): Platform {
  startWorker.packaged = true
  return {
    defaultStorage: undefined,
    async open(spec, worker = startWorker, wasm, source) {
      if (spec.storage === 'fs') throw unavailable(spec.storage)
      // A response can be read only once.
      const own = canStart() ? await sendable(wasm) : wasm
      return inWorker<Backend>(
        spec.storage,
        () => RemoteStore.open(spec, worker, own, source),
        async () => (await here()).openHere(spec, own, source),
      )
    },
    openOwn: async (...args) => (await import('../stores/open-own-host.js')).openOwn(...args),
    async list(kind, { worker = startWorker }) {
      if (kind === 'memory') return []
      if (kind === 'fs') throw unavailable(kind)
      return inWorker(
        kind,
        () => remoteList(worker, kind),
        async () => (await here()).browserList(kind),
      )
    },
    async destroy(kind, name, { worker = startWorker }) {
      if (kind === 'memory') return
      if (kind === 'fs') throw unavailable(kind)
      await inWorker(
        kind,
        () => remoteDestroy(worker, kind, name),
        async () => (await here()).browserDestroy(kind, name),
      )
    },
    async salvage(kind, spec, { into, worker = startWorker, wasm }) {
      if (typeof kind === 'object') return (await salvageHere()).salvageOwn(spec, kind, into!, wasm ?? whole?.())
      if (kind === 'fs' || kind === 'memory') throw unavailable(kind)
      const own = canStart() ? await sendable(wasm) : wasm
      return inWorker(
        kind,
        () => remoteSalvage(worker, kind, spec, own),
        async () => (await salvageHere()).browserSalvage(kind, spec, own ?? whole?.()),
      )
    },
  }
}
