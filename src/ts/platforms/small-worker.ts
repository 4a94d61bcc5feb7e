import type { openImported as openImportedThere, isStore as isStoreThere } from '../engine/import.js'
import type { indexeddbHost as hostThere } from '../hosts/indexeddb/host.js'
import type { memoryHost as memoryThere } from '../hosts/memory.js'
import type {
  browserDestroy as destroyThere,
  browserList as listThere,
  browserSalvage as salvageThere,
} from '../stores/browser-upkeep.js'

// Stands in, in worker-opfs.js, for the modules that an ordinary open, write or search in OPFS does not need
// (scripts/bundle.mjs says for which). Most pages never load them. The page starts worker.js, which has everything, for
// what it knows to need more, and when this worker says that it does.

/** Thrown where the worker that has everything is needed. It never leaves the worker. */
export const NEEDS_WHOLE = new Error('needs worker.js')

const missing = (): never => {
  throw NEEDS_WHOLE
}

export const openImported: typeof openImportedThere = missing
export const isStore: typeof isStoreThere = missing
/** Only an import or a salvage leaves something behind to be removed, and neither is here. */
export const orRemove = <T>(work: Promise<T>): Promise<T> => work
export const indexeddbHost: typeof hostThere = missing
export const memoryHost: typeof memoryThere = missing
export const browserList: typeof listThere = missing
export const browserDestroy: typeof destroyThere = missing
export const browserSalvage: typeof salvageThere = missing
export const SearchWorkers = { open: missing, load: async () => missing() }
