import type { SalvageSpec } from '../contract/backend.js'
import { salvage, type SalvageHosts } from '../engine/salvage.js'
import { userHost } from '../hosts/user.js'
import type { SalvageReport, StorageHost } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'

/** Salvages from one host that the caller wrote into another one. */
export async function salvageOwn(
  spec: SalvageSpec,
  from: StorageHost,
  into: StorageHost,
  wasm: WasmSource | undefined,
): Promise<SalvageReport> {
  const [source, target] = [userHost(from, spec.name), userHost(into, spec.into)]
  const hosts: SalvageHosts = {
    from: (work) => work(source),
    probe: (work) => work(target),
    into: (work) => work(target),
    remove: () => target.destroy(),
  }
  return salvage(spec, hosts, wasm)
}
