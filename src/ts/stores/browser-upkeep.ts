import type { SalvageSpec } from '../contract/backend.js'
import { salvage, type SalvageHosts } from '../engine/salvage.js'
import { destroyIndexeddb, listIndexeddb } from '../hosts/indexeddb/host.js'
import { hasOpfs } from '../hosts/opfs/host.js'
import { destroyOpfs, listOpfs } from '../hosts/opfs/upkeep.js'
import type { SalvageReport, StorageKind, StoreInfo } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'
import { ALL, agreed, guarded, isUnavailable, lookUp, withHost } from './browser-kind.js'
import { forgetKind, type Kind } from './registry.js'

const KINDS: { [K in Kind]: { list(): Promise<StoreInfo[]>; destroy(name: string): Promise<void> } } = {
  opfs: { list: listOpfs, destroy: destroyOpfs },
  indexeddb: { list: listIndexeddb, destroy: destroyIndexeddb },
}
/** A destroy waits this long for openings that have begun, in milliseconds. */
const OPENING_MS = 2000

export async function browserList(storage: StorageKind | undefined): Promise<StoreInfo[]> {
  if (storage) return storage in KINDS ? KINDS[storage as Kind].list() : []
  const lists = await Promise.allSettled(ALL.map((kind) => KINDS[kind].list()))
  const failed = lists.filter((list) => list.status === 'rejected').map(({ reason }) => reason as unknown)
  // Storage that cannot be used has no stores. It is an error only if no kind can be used.
  const worst =
    failed.find((reason) => !isUnavailable(reason)) ?? (failed.length === ALL.length ? failed[0] : undefined)
  if (worst) throw worst
  return lists
    .flatMap((list) => (list.status === 'fulfilled' ? list.value : []))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

export async function browserDestroy(storage: StorageKind | undefined, name: string): Promise<void> {
  if (storage !== undefined && !(storage in KINDS)) return
  await guarded(name, { signal: AbortSignal.timeout(OPENING_MS) }, async () => {
    const { recorded, blind } = await lookUp(name)
    const asked = (storage as Kind | undefined) ?? recorded
    if (asked) agreed(name, asked, undefined)
    else if (blind && !(await hasOpfs(name).catch(() => false))) throw blind
    for (const kind of asked ? [asked] : ALL) {
      try {
        await KINDS[kind].destroy(name)
      } catch (error) {
        if (asked || !isUnavailable(error)) throw error
      }
    }
    if (recorded && recorded === asked) await forgetKind(name, recorded)
  })
}

export function browserSalvage(
  storage: StorageKind | undefined,
  spec: SalvageSpec,
  wasm?: WasmSource,
): Promise<SalvageReport> {
  let kind = storage
  const at = (name: string, dimension?: number) => ({
    name,
    storage: kind,
    readOnly: dimension === undefined,
    dimension,
  })
  const from: SalvageHosts['from'] = (work) =>
    withHost(at(spec.name), (host) => {
      kind = host.kind as Kind
      return work(host)
    })
  const hosts: SalvageHosts = {
    from,
    probe: (work) => withHost(at(spec.into), work),
    // Any dimension will do: it only says that the store may be created.
    into: (work) => withHost(at(spec.into, 1), work),
    remove: () => browserDestroy(kind, spec.into),
  }
  return salvage(spec, hosts, wasm)
}
