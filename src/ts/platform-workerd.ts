import { Engine } from './engine/engine.js'
import { NidusError } from './errors.js'
import { memoryHost } from './hosts/memory.js'
import { userHost } from './hosts/user.js'
import type { Platform } from './platform.js'
import { salvageOwn } from './salvage-own.js'

const unavailable = () =>
  new NidusError('STORAGE_UNAVAILABLE', 'pass the storage here: `durableObject(ctx.storage)` of nidus-wasm/durable-object within a Durable Object, "memory", or a host of your own')

export const workerdPlatform: Platform = {
  defaultStorage: undefined,
  async open(spec, _worker, wasm) {
    if (spec.storage === 'memory') return Engine.open(spec, memoryHost(spec.name), wasm)
    throw unavailable()
  },
  openOwn: (spec, own, wasm) => Engine.open(spec, userHost(own), wasm),
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
