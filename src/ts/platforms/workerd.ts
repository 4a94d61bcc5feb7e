import { NidusError } from '../errors/errors.js'
import { memoryHost } from '../hosts/memory.js'
import { openOwn, openWith } from '../stores/open-own-host.js'
import type { Platform } from '../contract/platform.js'
import { salvageOwn } from '../stores/salvage-own-host.js'

const unavailable = () =>
  new NidusError(
    'STORAGE_UNAVAILABLE',
    'pass the storage here: `durableObject(ctx.storage)` of nidus-wasm/durable-object within a Durable Object, ' +
      '"memory", or a host of your own',
  )

export const workerdPlatform: Platform = {
  defaultStorage: undefined,
  async open(spec, _worker, wasm, source) {
    if (spec.storage === 'memory') return openWith(spec, memoryHost(spec.name), wasm, source)
    throw unavailable()
  },
  openOwn,
  async list(kind) {
    if (kind === 'memory') return []
    throw unavailable()
  },
  async destroy(kind) {
    if (kind !== 'memory') throw unavailable()
  },
  async salvage(storage, spec, { into, wasm }) {
    if (typeof storage !== 'object') throw unavailable()
    return salvageOwn(spec, storage, into!, wasm)
  },
}
