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
  new NidusError('STORAGE_UNAVAILABLE', `the storage "${kind}" is not for browsers: use opfs, indexeddb or memory`)

/**
 * Returns whether to start a worker for a store. A page does, because only dedicated workers have file handles. A
 * thread that cannot start a worker works without one. So does a dedicated worker in Firefox: one in a hundred workers
 * that it starts does not begin, and the thread that starts it never goes on. `wanted` is true if the caller asks for a
 * worker.
 */
const starts = (wanted?: unknown) =>
  typeof Worker !== 'undefined' &&
  (wanted || !('DedicatedWorkerGlobalScope' in globalThis && navigator.userAgent.includes('Firefox')))

const here = () => import('./this-thread.js')
const salvageHere = () => import('./salvage-this-thread.js')

/** `whole` returns the address of the wasm that a salvage needs. `ahead` is as in {@link StartWorker}. */
export function browserPlatform(
  startWorker: StartWorker,
  whole?: () => string,
  ahead?: StartWorker['ahead'],
): Platform {
  startWorker.packaged = true
  if (ahead) startWorker.ahead = ahead

  /** Runs `work` in a worker. If none is started, runs `alone` in this thread. `own` is the caller's. */
  async function inWorker<T>(
    own: StartWorker | undefined,
    kind: StorageKind | undefined,
    work: (start: StartWorker) => Promise<T>,
    alone: () => Promise<T>,
  ): Promise<T> {
    if (!starts(own)) return alone()
    try {
      return await work(own ?? startWorker)
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

  return {
    defaultStorage: undefined,
    async open(spec, worker, wasm, source) {
      if (spec.storage === 'fs') throw unavailable(spec.storage)
      // Only a store in a worker of its own has search workers.
      if (spec.workers > 1) worker ??= startWorker
      // A response can be read only once.
      const own = starts(worker) ? await sendable(wasm) : wasm
      return inWorker<Backend>(
        worker,
        spec.storage,
        (start) => RemoteStore.open(spec, start, own, source),
        async () => (await here()).openHere(spec, own, source),
      )
    },
    openOwn: async (...args) => (await import('../stores/open-own-host.js')).openOwn(...args),
    async list(kind, { worker }) {
      if (kind === 'memory') return []
      if (kind === 'fs') throw unavailable(kind)
      return inWorker(
        worker,
        kind,
        (start) => remoteList(start, kind),
        async () => (await here()).browserList(kind),
      )
    },
    async destroy(kind, name, { worker }) {
      if (kind === 'memory') return
      if (kind === 'fs') throw unavailable(kind)
      await inWorker(
        worker,
        kind,
        (start) => remoteDestroy(start, kind, name),
        async () => (await here()).browserDestroy(kind, name),
      )
    },
    async salvage(kind, spec, { into, worker, wasm }) {
      if (typeof kind === 'object') return (await salvageHere()).salvageOwn(spec, kind, into!, wasm ?? whole?.())
      if (kind === 'fs' || kind === 'memory') throw unavailable(kind)
      const own = starts(worker) ? await sendable(wasm) : wasm
      return inWorker(
        worker,
        kind,
        (start) => remoteSalvage(start, kind, spec, own),
        async () => (await salvageHere()).browserSalvage(kind, spec, own ?? whole?.()),
      )
    },
  }
}
