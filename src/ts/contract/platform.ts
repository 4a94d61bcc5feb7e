import type { Backend, OpenSpec, SalvageSpec, Source } from './backend.js'
import type {
  ImportSource,
  SalvageReport,
  SalvageOptions,
  StorageHost,
  StorageKind,
  StoreInfo,
  StoreOptions,
} from '../types/index.js'
import type { WasmSource } from '../types/segment.js'

/** The abilities of one runtime. Each entry supplies its own. Storage is chosen by its name only here. */
export interface Platform {
  /** The storage if none is given. Undefined: it is chosen for each store when the store is made. */
  readonly defaultStorage: StorageKind | undefined
  /**
   * Opens a store by its kind of storage, in this thread or in a worker. Rejects with STORAGE_UNAVAILABLE if the kind
   * does not exist here.
   */
  open(
    spec: OpenSpec & { storage: StorageKind | undefined },
    worker: ((whole: boolean) => Worker) | undefined,
    wasm: WasmSource | undefined,
    source?: Source,
  ): Promise<Backend>
  /** Opens a store with a host that the caller passed, in this thread. */
  openOwn(spec: OpenSpec, own: StorageHost, wasm: WasmSource | undefined, source?: Source): Promise<Backend>
  /** Returns the source that a path stands for. Missing in runtimes without files. */
  files?(path: string | URL): Promise<ImportSource>
  list(kind: StorageKind | undefined, options: StoreOptions): Promise<StoreInfo[]>
  destroy(kind: StorageKind | undefined, name: string, options: StoreOptions): Promise<void>
  /**
   * Salvages a store. Hosts of the caller's own run in this thread, and `into` of the options is the second of them.
   */
  salvage(
    storage: StorageKind | StorageHost | undefined,
    spec: SalvageSpec,
    options: SalvageOptions,
  ): Promise<SalvageReport>
}
