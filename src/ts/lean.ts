import type { receive as receiveAll, isStore as isStoreThere } from './engine/receive.js'
import type { salvage as salvageAll } from './engine/salvage.js'
import type { destroyIndexeddb as destroyThere, indexeddbHost as hostThere, listIndexeddb as listThere } from './hosts/indexeddb.js'
import type { memoryHost as memoryThere } from './hosts/memory.js'

// Stands in, in worker-opfs.js, for the modules that an ordinary open, write or search in OPFS does not need (scripts/bundle.mjs says for which).
// Most pages never load them. The page starts worker.js, which has everything, for what it knows to need more, and when this worker says that it does.

/** Thrown where the worker that has everything is needed. It never leaves the worker. */
export const NEEDS_WHOLE = new Error('needs worker.js')

const missing = (): never => {
  throw NEEDS_WHOLE
}

export const receive: typeof receiveAll = missing
export const isStore: typeof isStoreThere = missing
/** Only an import or a salvage leaves something behind to be removed, and neither is here. */
export const orRemove = <T>(work: Promise<T>): Promise<T> => work
export const salvage: typeof salvageAll = missing
export const indexeddbHost: typeof hostThere = missing
export const destroyIndexeddb: typeof destroyThere = missing
export const listIndexeddb: typeof listThere = missing
export const memoryHost: typeof memoryThere = missing
export const Shards = { open: missing, load: async () => missing() }
export class Quicker {}
