import { nodeWorker } from '../threads/node.js'
import type { Runtime } from '../runtime/configure.js'
import { nodeFiles, searchWorker } from './node-files.js'
import { salvage, type SalvageHosts } from '../engine/salvage.js'
import { NidusError } from '../errors/errors.js'
import { destroyFs, fsHost, listFs } from '../hosts/fs/host.js'
import { memoryHost } from '../hosts/memory.js'
import { openOwn, openWith } from '../stores/open-own-host.js'
import type { Platform } from '../contract/platform.js'
import { salvageOwn } from '../stores/salvage-own-host.js'
import type { StorageKind } from '../types/index.js'

const unavailable = (kind: StorageKind | undefined) =>
  new NidusError(
    'STORAGE_UNAVAILABLE',
    `the storage "${kind}" exists only in browsers; here there are "fs" and "memory"`,
  )

export const nodePlatform: Platform = {
  defaultStorage: 'fs',
  async open(spec, _worker, wasm, source) {
    if (spec.storage === 'fs') return openWith(spec, fsHost(spec.name), wasm, source)
    if (spec.storage === 'memory') return openWith(spec, memoryHost(spec.name), wasm, source)
    throw unavailable(spec.storage)
  },
  openOwn,
  files: async (path) => (await import('../transfer/files.js')).filesOf(path),
  async list(kind, { root }) {
    if (kind === 'memory') return []
    if (kind !== 'fs') throw unavailable(kind)
    return listFs(root)
  },
  async destroy(kind, name) {
    if (kind === 'memory') return
    if (kind !== 'fs') throw unavailable(kind)
    await destroyFs(name)
  },
  async salvage(storage, spec, { into: own, wasm }) {
    if (typeof storage === 'object') return salvageOwn(spec, storage, own!, wasm)
    if (storage !== 'fs') throw unavailable(storage)
    const into: SalvageHosts['into'] = (work) => work(fsHost(spec.into))
    return salvage(
      spec,
      { from: (work) => work(fsHost(spec.name)), probe: into, into, remove: () => destroyFs(spec.into) },
      wasm,
    )
  },
}

export const nodeRuntime: Runtime = {
  ...nodeFiles,
  platform: nodePlatform,
  startSearchWorker: () => nodeWorker(searchWorker()),
}
