import type { OpenSpec, Source } from '../contract/backend.js'
import type { OwnHost } from '../contract/host.js'
import { Engine } from '../engine/engine.js'
import { orRemove } from '../engine/import.js'
import { userHost } from '../hosts/user.js'
import type { StorageHost } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'

/** Opens a store on this host. Removes the store if an import into it fails. */
export const openWith = (
  spec: OpenSpec,
  host: OwnHost,
  wasm: WasmSource | undefined,
  source: Source | undefined,
): Promise<Engine> => orRemove(Engine.open(spec, host, wasm, source), () => host.destroy())

/** Opens a store on a host that the caller wrote. */
export const openOwn = (
  spec: OpenSpec,
  own: StorageHost,
  wasm: WasmSource | undefined,
  source: Source | undefined,
): Promise<Engine> => openWith(spec, userHost(own, spec.name), wasm, source)
