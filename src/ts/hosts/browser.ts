import type { Host, OpenSpec, Source } from '../engine/backend.js'
import { Engine } from '../engine/engine.js'
import { orRemove } from '../engine/receive.js'
import { salvage, type SalvageHosts, type SalvageSpec } from '../engine/salvage.js'
import { Shards } from '../engine/shards.js'
import { NidusError, invalid, storageError } from '../errors.js'
import type { RecoveryReport, StorageKind, StoreInfo } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'
import { loadCore } from '../wasm.js'
import { hasDatabase } from './idb.js'
import { destroyIndexeddb, indexeddbHost, listIndexeddb } from './indexeddb.js'
import { memoryHost } from './memory.js'
import { destroyOpfs, hasOpfs, listOpfs, opfsHost, probeOpfs } from './opfs.js'
import { forgetKind, recordKind, recordedKind, type Kind } from './registry.js'

/** What browsers have, for the worker and for the caller's thread alike. The better one first. */
const KINDS: { [K in Kind]: { host(name: string): Host; has(name: string): Promise<boolean>; list(): Promise<StoreInfo[]>; destroy(name: string): Promise<void> } } = {
  opfs: { host: opfsHost, has: hasOpfs, list: listOpfs, destroy: destroyOpfs },
  indexeddb: { host: indexeddbHost, has: hasDatabase, list: listIndexeddb, destroy: destroyIndexeddb },
}
const ALL = Object.keys(KINDS) as Kind[]
/** What a destroy waits for those who are about to open. */
const OPENING_MS = 2000

type Wanted = Pick<OpenSpec, 'name' | 'storage' | 'readOnly' | 'dimension'>

/** Chooses the kind, or finds what was chosen, and lets `open` have its host. Nobody destroys the store meanwhile. */
export async function withHost<T>(spec: Wanted, open: (host: Host) => Promise<T>): Promise<T> {
  const { storage, name } = spec
  if (storage === 'memory') return open(memoryHost(name))
  if (storage !== undefined && !(storage in KINDS)) throw new NidusError('UNSUPPORTED', `this version has no storage ${storage}`)
  return guarded(name, { mode: 'shared' }, async () => {
    const kind = await kindOf(spec, storage as Kind | undefined)
    try {
      return await open(KINDS[kind].host(name))
    } catch (error) {
      if (!isUnavailable(error)) throw error
      throw new NidusError('STORAGE_UNAVAILABLE', `the storage of "${name}", ${kind}, cannot be used: ${error.message}`, { cause: error })
    }
  })
}

async function kindOf({ name, readOnly, dimension }: Wanted, asked: Kind | undefined): Promise<Kind> {
  const { recorded, blind } = await lookUp(name)
  if (recorded) return agreed(name, recorded, asked)
  // Made by an earlier version, or where nothing could be recorded. That it exists says what it is.
  const found: Kind[] = []
  for (const kind of ALL) if (await KINDS[kind].has(name).catch(() => false)) found.push(kind)
  const there = asked && found.includes(asked) ? asked : found[0]
  if (there) {
    agreed(name, there, asked)
    return readOnly ? there : agreed(name, await recordKind(name, there).catch(() => there), asked)
  }
  if (readOnly || dimension === undefined) {
    if (asked) return asked
    if (blind) throw blind
    const missing = new NidusError('NOT_FOUND', `there is no store "${name}"`)
    throw readOnly ? missing : invalid(`there is no store "${name}", and without a dimension none can be created`, missing)
  }
  const noOpfs = asked === 'indexeddb' ? undefined : await probed()
  if (asked === 'opfs' && noOpfs) throw noOpfs
  // Without a record the next one to ask might choose otherwise; who names the kind will name it again.
  if (asked === 'opfs' && blind) return asked
  try {
    return agreed(name, await recordKind(name, asked ?? (noOpfs ? 'indexeddb' : 'opfs')), asked)
  } catch (error) {
    if (asked || !isUnavailable(error)) throw error
    const opfs = noOpfs ? `neither in OPFS (${noOpfs.message})` : 'not in OPFS (the choice could not be recorded)'
    throw new NidusError('STORAGE_UNAVAILABLE', `the store "${name}" cannot be made: ${opfs} nor in IndexedDB (${error.message})`, { cause: noOpfs ?? error })
  }
}

/** `blind`: why the record cannot be read here at all. */
async function lookUp(name: string): Promise<{ recorded?: Kind | undefined; blind?: NidusError }> {
  try {
    return { recorded: await recordedKind(name) }
  } catch (error) {
    if (isUnavailable(error)) return { blind: error }
    throw error
  }
}

function agreed(name: string, kind: Kind, asked: Kind | undefined): Kind {
  if (!(kind in KINDS)) throw new NidusError('STORAGE_UNAVAILABLE', `the store "${name}" is kept in ${kind}, which this version of nidus-wasm does not know`)
  if (asked && asked !== kind) throw new NidusError('STORAGE_UNAVAILABLE', `the store "${name}" is kept in ${kind}, not in ${asked}`)
  return kind
}

/** Why OPFS cannot be used, if so. That it is full is no reason to go elsewhere for ever. */
async function probed(): Promise<NidusError | undefined> {
  try {
    await probeOpfs()
    return undefined
  } catch (error) {
    const why = storageError(error, 'no file could be opened in OPFS', true)
    if (why.code === 'QUOTA_EXCEEDED') throw why
    return why.code === 'STORAGE_UNAVAILABLE' ? why : new NidusError('STORAGE_UNAVAILABLE', why.message, { cause: error })
  }
}

const isUnavailable = (error: unknown): error is NidusError => error instanceof NidusError && error.code === 'STORAGE_UNAVAILABLE'

/** Who opens shares it, who destroys has it alone. Where there are no locks (insecure contexts) there is no OPFS either, so nothing to choose. */
async function guarded<T>(name: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
  if (!locks) return work()
  let begun = false
  try {
    return await locks.request(`nidus-wasm:kind:${name}`, options, () => {
      begun = true
      return work()
    })
  } catch (error) {
    if (begun) throw error
    if ((error as Error).name === 'TimeoutError') throw new NidusError('LOCKED', `the store "${name}" is being opened elsewhere`, { cause: error })
    throw storageError(error, `the browser gives no lock for the store "${name}"`, true)
  }
}

export async function browserList(storage: StorageKind | undefined): Promise<StoreInfo[]> {
  if (storage) return storage in KINDS ? KINDS[storage as Kind].list() : []
  const lists = await Promise.allSettled(ALL.map((kind) => KINDS[kind].list()))
  const failed = lists.filter((list) => list.status === 'rejected').map(({ reason }) => reason as unknown)
  // Where a medium cannot be used, no store in it can be, either.
  const worst = failed.find((reason) => !isUnavailable(reason)) ?? (failed.length === ALL.length ? failed[0] : undefined)
  if (worst) throw worst
  return lists.flatMap((list) => (list.status === 'fulfilled' ? list.value : [])).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
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

export function browserOpen(spec: OpenSpec, wasm?: WasmSource, source?: Source): Promise<Engine> {
  let kind: Kind
  // While it is found out where the store is.
  const core = spec.workers > 1 ? Shards.load(wasm) : loadCore(wasm)
  core.catch(() => {})
  // Any dimension will do: it only says that the store may be made.
  const work = withHost(source ? { ...spec, dimension: 1 } : spec, (host) => {
    kind = host.kind as Kind
    return core.then(() => Engine.open(spec, host, wasm, source))
  })
  return orRemove(work, () => browserDestroy(kind, spec.name))
}

export function browserSalvage(storage: StorageKind | undefined, spec: SalvageSpec, wasm?: WasmSource): Promise<RecoveryReport> {
  let kind = storage
  const at = (name: string, dimension?: number) => ({ name, storage: kind, readOnly: dimension === undefined, dimension })
  const from: SalvageHosts['from'] = (work) =>
    withHost(at(spec.name), (host) => {
      kind = host.kind as Kind
      return work(host)
    })
  // As above, of the dimension.
  const hosts: SalvageHosts = { from, probe: (work) => withHost(at(spec.into), work), into: (work) => withHost(at(spec.into, 1), work), remove: () => browserDestroy(kind, spec.into) }
  return salvage(spec, hosts, wasm)
}
