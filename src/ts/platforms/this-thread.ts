import type { Backend, OpenSpec, Source } from '../contract/backend.js'
import { coreError } from '../errors/errors.js'
import { browserOpen } from '../stores/browser-open.js'
import { browserDestroy as destroy, browserList as list } from '../stores/browser-upkeep.js'
import { destroyAlone, openShared } from '../tabs/open.js'
import type { StorageKind } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'

// Opens a store in the caller's own thread. This file is loaded on demand: a page whose store is in a worker needs
// neither the engine nor the core's glue code.

/** Turns errors of the browser into errors with a code, as the worker does. */
const coded = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw coreError(error)
  })

export const openHere = (spec: OpenSpec, wasm: WasmSource | undefined, source: Source | undefined): Promise<Backend> =>
  coded(openShared(spec, (spec) => browserOpen(spec, wasm, source), source !== undefined))

export const browserList = (storage: StorageKind | undefined) => coded(list(storage))
export const browserDestroy = (storage: StorageKind | undefined, name: string) =>
  coded(destroyAlone(name, () => destroy(storage, name)))
