import { NidusError } from './errors.js'
import type { Platform } from './platform.js'
import { RemoteStore, remoteDestroy, remoteList } from './rpc/client.js'
import type { StorageKind } from './types/index.js'

const unavailable = (kind: StorageKind) => new NidusError('STORAGE_UNAVAILABLE', `the storage "${kind}" does not exist in a browser`)

/** Handles exist only in dedicated workers: a page needs one; in a worker that cannot start another, this thread will do. */
const canStart = () => typeof Worker !== 'undefined'

const here = () => import('./here.js')

/** Opening twice from one page can never be a late release: no need to wait for it. A name is in one kind of storage only. */
const open = new Set<string>()

export function browserPlatform(startWorker: () => Worker): Platform {
  return {
    defaultStorage: undefined,
    async open(spec, worker = startWorker, wasm) {
      const { storage, name } = spec
      if (storage === 'fs') throw unavailable(storage)
      const anywhere = async () => (canStart() ? RemoteStore.open(spec, worker, wasm) : (await here()).openHere(spec, wasm))
      if (storage === 'memory' || spec.readOnly) return anywhere()
      if (open.has(name)) throw new NidusError('LOCKED', `the store "${name}" is already open in this page`)
      open.add(name)
      try {
        const backend = await anywhere()
        const close = backend.close.bind(backend)
        let closing: Promise<void> | undefined
        backend.close = () => (closing ??= close().finally(() => open.delete(name)))
        return backend
      } catch (error) {
        open.delete(name)
        throw error
      }
    },
    openOwn: async (spec, own, wasm) => (await here()).openOwn(spec, own, wasm),
    async list(kind, { worker = startWorker }) {
      if (kind === 'memory') return []
      if (kind === 'fs') throw unavailable(kind)
      return canStart() ? remoteList(worker, kind) : (await here()).browserList(kind)
    },
    async destroy(kind, name, { worker = startWorker }) {
      if (kind === 'memory') return
      if (kind === 'fs') throw unavailable(kind)
      if (open.has(name)) throw new NidusError('LOCKED', `the store "${name}" is open in this page`)
      await (canStart() ? remoteDestroy(worker, kind, name) : (await here()).browserDestroy(kind, name))
    },
  }
}
