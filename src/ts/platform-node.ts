import { salvage, type SalvageHosts } from './engine/salvage.js'
import { NidusError } from './errors.js'
import { destroyFs, fsHost, listFs } from './hosts/fs.js'
import { memoryHost } from './hosts/memory.js'
import { openOwn, openWith } from './open-own.js'
import type { Platform } from './platform.js'
import { salvageOwn } from './salvage-own.js'
import type { StorageKind } from './types/index.js'

const unavailable = (kind: StorageKind | undefined) => new NidusError('STORAGE_UNAVAILABLE', `the storage "${kind}" exists only in browsers; here there are "fs" and "memory"`)

export const nodePlatform: Platform = {
  defaultStorage: 'fs',
  async open(spec, _worker, wasm, source) {
    if (spec.storage === 'fs') return openWith(spec, fsHost(spec.name), wasm, source)
    if (spec.storage === 'memory') return openWith(spec, memoryHost(spec.name), wasm, source)
    throw unavailable(spec.storage)
  },
  openOwn,
  files: async (path) => (await import('./transfer/files.js')).filesOf(path),
  async list(kind, { root }) {
    if (kind === 'memory') return []
    if (kind !== 'fs') throw unavailable(kind)
    return listFs(root)
  },
  async destroy(kind, name) {
    if (kind === 'memory') return
    if (kind !== 'fs') throw unavailable(kind)
    destroyFs(name)
  },
  async salvage(storage, spec, { into: own, wasm }) {
    if (typeof storage === 'object') return salvageOwn(spec, storage, own!, wasm)
    if (storage !== 'fs') throw unavailable(storage)
    const into: SalvageHosts['into'] = (work) => work(fsHost(spec.into))
    return salvage(spec, { from: (work) => work(fsHost(spec.name)), probe: into, into, remove: async () => destroyFs(spec.into) }, wasm)
  },
}
