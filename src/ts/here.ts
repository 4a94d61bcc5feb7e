import type { Backend, OpenSpec, Source } from './engine/backend.js'
import { browserDestroy as destroy, browserList, browserOpen, browserSalvage } from './hosts/browser.js'
import { destroyAlone, openMember } from './tabs/member.js'
import type { StorageKind } from './types/index.js'
import type { WasmSource } from './types/segment.js'

// A store in the caller's own thread. Loaded on demand: a page whose store is in the worker needs neither the engine nor the core's glue.

export const openHere = (spec: OpenSpec, wasm: WasmSource | undefined, source: Source | undefined): Promise<Backend> =>
  openMember(spec, (spec) => browserOpen(spec, wasm, source), source !== undefined)

export const browserDestroy = (storage: StorageKind | undefined, name: string) => destroyAlone(name, () => destroy(storage, name))

export { browserList, browserSalvage }
export { openOwn } from './open-own.js'
export { salvageOwn } from './salvage-own.js'
