import { NidusError } from './errors.js'
import type { Platform } from './platform.js'
import { RemoteStore, remoteDestroy, remoteList, remoteSalvage, type StartWorker } from './rpc/client.js'
import type { StorageKind } from './types/index.js'

const unavailable = (kind: StorageKind) => new NidusError('STORAGE_UNAVAILABLE', `the storage "${kind}" does not exist in a browser`)

/** Handles exist only in dedicated workers: a page needs one; in a worker that cannot start another, this thread will do. */
const canStart = () => typeof Worker !== 'undefined'

const here = () => import('./here.js')

export function browserPlatform(startWorker: StartWorker): Platform {
  return {
    defaultStorage: undefined,
    async open(spec, worker = startWorker, wasm, source) {
      if (spec.storage === 'fs') throw unavailable(spec.storage)
      return canStart() ? RemoteStore.open(spec, worker, wasm, source) : (await here()).openHere(spec, wasm, source)
    },
    openOwn: async (...args) => (await here()).openOwn(...args),
    async list(kind, { worker = startWorker }) {
      if (kind === 'memory') return []
      if (kind === 'fs') throw unavailable(kind)
      return canStart() ? remoteList(worker, kind) : (await here()).browserList(kind)
    },
    async destroy(kind, name, { worker = startWorker }) {
      if (kind === 'memory') return
      if (kind === 'fs') throw unavailable(kind)
      await (canStart() ? remoteDestroy(worker, kind, name) : (await here()).browserDestroy(kind, name))
    },
    async salvage(kind, spec, { into, worker = startWorker, wasm }) {
      if (typeof kind === 'object') return (await here()).salvageOwn(spec, kind, into!, wasm)
      if (kind === 'fs' || kind === 'memory') throw unavailable(kind)
      return canStart() ? remoteSalvage(worker, kind, spec, wasm) : (await here()).browserSalvage(kind, spec, wasm)
    },
  }
}
