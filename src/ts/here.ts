import type { Backend, OpenSpec } from './engine/backend.js'
import { Engine } from './engine/engine.js'
import { browserDestroy as destroy, browserList, browserSalvage, withHost } from './hosts/browser.js'
import { userHost } from './hosts/user.js'
import { destroyAlone, openMember } from './tabs/member.js'
import type { StorageHost, StorageKind } from './types/index.js'
import type { WasmSource } from './types/segment.js'

// A store in the caller's own thread. Loaded on demand: a page whose store is in the worker needs neither the engine nor the core's glue.

export const openOwn = (spec: OpenSpec, own: StorageHost, wasm: WasmSource | undefined): Promise<Backend> => Engine.open(spec, userHost(own), wasm)

export const openHere = (spec: OpenSpec, wasm: WasmSource | undefined): Promise<Backend> => openMember(spec, (spec) => withHost(spec, (host) => Engine.open(spec, host, wasm)))

export const browserDestroy = (storage: StorageKind | undefined, name: string) => destroyAlone(name, () => destroy(storage, name))

export { browserList, browserSalvage }
export { salvageOwn } from './salvage-own.js'
