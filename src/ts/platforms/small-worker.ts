import type { openImported as openImportedThere, isStore as isStoreThere } from '../engine/import.js'
import type { indexeddbHost as hostThere } from '../hosts/indexeddb/host.js'
import type { memoryHost as memoryThere } from '../hosts/memory.js'
import type {
  browserDestroy as destroyThere,
  browserList as listThere,
  browserSalvage as salvageThere,
} from '../stores/browser-upkeep.js'

// Replaces, in worker-opfs.js, the modules that an ordinary open, write or search in OPFS does not need.
// (scripts/bundle.mjs lists them.) Most pages never load them. The page starts worker.js, which has all modules, if it
// knows that it needs more, or if this worker throws NEEDS_WHOLE.

/** Thrown if the worker with all modules is needed. The worker catches it and tells the page. */
export const NEEDS_WHOLE = new Error('needs worker.js')

const missing = (): never => {
  throw NEEDS_WHOLE
}

export const openImported: typeof openImportedThere = missing
export const isStore: typeof isStoreThere = missing
/** Removes nothing: only a failed import or salvage leaves files, and this worker has neither. */
export const orRemove = <T>(work: Promise<T>): Promise<T> => work
export const indexeddbHost: typeof hostThere = missing
export const memoryHost: typeof memoryThere = missing
export const browserList: typeof listThere = missing
export const browserDestroy: typeof destroyThere = missing
export const browserSalvage: typeof salvageThere = missing
export const SearchWorkers = { open: missing, load: async () => missing() }
