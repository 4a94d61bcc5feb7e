import type { Backend, OpenSpec, Source } from './engine/backend.js'
import type { SalvageSpec } from './engine/salvage.js'
import type { ImportSource, RecoveryReport, SalvageOptions, StorageHost, StorageKind, StoreInfo, StoreOptions } from './types/index.js'
import type { WasmSource } from './types/segment.js'

/** What one runtime can do, supplied by its entry: storage is chosen by name only here. */
export interface Platform {
  /** None: chosen for each store when it is made. */
  readonly defaultStorage: StorageKind | undefined
  /** Opens by kind, in this thread or in a worker. Rejects with STORAGE_UNAVAILABLE for a kind that does not exist here. */
  open(spec: OpenSpec & { storage: StorageKind | undefined }, worker: ((whole: boolean) => Worker) | undefined, wasm: WasmSource | undefined, source?: Source): Promise<Backend>
  /** With a host that the caller passed, in this thread. */
  openOwn(spec: OpenSpec, own: StorageHost, wasm: WasmSource | undefined, source?: Source): Promise<Backend>
  /** What there is to import under a path; only where there are files. */
  files?(path: string | URL): Promise<ImportSource>
  list(kind: StorageKind | undefined, options: StoreOptions): Promise<StoreInfo[]>
  destroy(kind: StorageKind | undefined, name: string, options: StoreOptions): Promise<void>
  /** With hosts of the caller's own in this thread; the options then name the second one. */
  salvage(storage: StorageKind | StorageHost | undefined, spec: SalvageSpec, options: SalvageOptions): Promise<RecoveryReport>
}

let platform: Platform | undefined

/**
 * Gives the class its runtime. An entry exports what this returns: bundlers may drop a module of which nothing of its own is used,
 * and with it a mere call.
 */
export function withPlatform<T>(own: Platform, wasm: () => void, api: T): T {
  wasm()
  platform = own
  return api
}

export const currentPlatform = () => platform!
