import type { OpenSpec } from '../contract/backend.js'
import type { Host } from '../contract/host.js'
import { NidusError, invalid, storageError } from '../errors/errors.js'
import { hasDatabase } from '../hosts/indexeddb/database.js'
import { indexeddbHost } from '../hosts/indexeddb/host.js'
import { memoryHost } from '../hosts/memory.js'
import { hasOpfs, opfsHost, probeOpfs } from '../hosts/opfs/host.js'
import { recordKind, recordedKind, type Kind } from './registry.js'

/** The kinds of storage that browsers have, the better one first. */
const KINDS: { [K in Kind]: { host(name: string): Host; has(name: string): Promise<boolean> } } = {
  opfs: { host: opfsHost, has: hasOpfs },
  indexeddb: { host: indexeddbHost, has: hasDatabase },
}
export const ALL = Object.keys(KINDS) as Kind[]

type Wanted = Pick<OpenSpec, 'name' | 'storage' | 'readOnly' | 'dimension'>

/** Chooses the kind, or finds what was chosen, and lets `open` have its host. Nobody destroys the store meanwhile. */
export async function withHost<T>(spec: Wanted, open: (host: Host) => Promise<T>): Promise<T> {
  const { storage, name } = spec
  if (storage === 'memory') return open(memoryHost(name))
  if (storage !== undefined && !(storage in KINDS))
    throw new NidusError('UNSUPPORTED', `this version has no storage ${storage}`)
  return guarded(name, { mode: 'shared' }, async () => {
    const kind = await kindOf(spec, storage as Kind | undefined)
    try {
      return await open(KINDS[kind].host(name))
    } catch (error) {
      if (!isUnavailable(error)) throw error
      throw new NidusError(
        'STORAGE_UNAVAILABLE',
        `the storage of "${name}", ${kind}, cannot be used: ${error.message}`,
        { cause: error },
      )
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
    throw readOnly
      ? missing
      : invalid(`there is no store "${name}", and without a dimension none can be created`, missing)
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
    throw new NidusError(
      'STORAGE_UNAVAILABLE',
      `the store "${name}" cannot be made: ${opfs} nor in IndexedDB (${error.message})`,
      { cause: noOpfs ?? error },
    )
  }
}

/** `blind`: why the record cannot be read here at all. */
export async function lookUp(name: string): Promise<{ recorded?: Kind | undefined; blind?: NidusError }> {
  try {
    return { recorded: await recordedKind(name) }
  } catch (error) {
    if (isUnavailable(error)) return { blind: error }
    throw error
  }
}

export function agreed(name: string, kind: Kind, asked: Kind | undefined): Kind {
  if (!(kind in KINDS))
    throw new NidusError(
      'STORAGE_UNAVAILABLE',
      `the store "${name}" is kept in ${kind}, which this version of nidus-wasm does not know`,
    )
  if (asked && asked !== kind)
    throw new NidusError('STORAGE_UNAVAILABLE', `the store "${name}" is kept in ${kind}, not in ${asked}`)
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
    return why.code === 'STORAGE_UNAVAILABLE'
      ? why
      : new NidusError('STORAGE_UNAVAILABLE', why.message, { cause: error })
  }
}

export const isUnavailable = (error: unknown): error is NidusError =>
  error instanceof NidusError && error.code === 'STORAGE_UNAVAILABLE'

/**
 * Who opens shares it, who destroys has it alone. Where there are no locks (insecure contexts) there is no OPFS either,
 * so nothing to choose.
 */
export async function guarded<T>(name: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
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
    if ((error as Error).name === 'TimeoutError')
      throw new NidusError('LOCKED', `the store "${name}" is being opened elsewhere`, { cause: error })
    throw storageError(error, `the browser gives no lock for the store "${name}"`, true)
  }
}
