import type { OpenSpec, Source } from '../contract/backend.js'
import { Engine } from '../engine/engine.js'
import { orRemove } from '../engine/import.js'
import { SearchWorkers } from '../engine/search-workers.js'
import type { WasmSource } from '../types/segment.js'
import { withHost } from './browser-kind.js'
import { browserDestroy } from './browser-upkeep.js'
import type { Kind } from './registry.js'

/** Opens a store in the browser's storage, in this thread. */
export function browserOpen(spec: OpenSpec, wasm?: WasmSource, source?: Source): Promise<Engine> {
  let kind: Kind
  // Loads while the kind of storage is looked up.
  const core = spec.workers > 1 ? SearchWorkers.load(wasm) : Engine.load(spec, wasm)
  core.catch(() => {})
  // `withHost` only needs to know that the store may be created. The source has the dimension.
  const work = withHost(
    source ? { ...spec, dimension: 1 } : spec,
    (host) => {
      kind = host.kind as Kind
      return core.then(() => Engine.open(spec, host, wasm, source))
    },
    core,
  )
  return orRemove(work, () => browserDestroy(kind, spec.name))
}
