import type { OpenSpec } from '../contract/backend.js'
import type { Host } from '../contract/host.js'
import { NidusError, invalid, storageError } from '../errors/errors.js'
import { hasDatabase } from '../hosts/indexeddb/database.js'
import { indexeddbHost } from '../hosts/indexeddb/host.js'
import { memoryHost } from '../hosts/memory.js'
import { hasOpfs, opfsHost, probeOpfs } from '../hosts/opfs/host.js'
import { recordKind, recordedKind, type Kind } from './registry.js'

/** The kinds of storage of browsers, the preferred one first. */
const KINDS: { [K in Kind]: { host(name: string): Host; has(name: string): Promise<boolean> } } = {
  opfs: { host: opfsHost, has: hasOpfs },
  indexeddb: { host: indexeddbHost, has: hasDatabase },
}
export const ALL = Object.keys(KINDS) as Kind[]

type Wanted = Pick<OpenSpec, 'name' | 'storage' | 'readOnly' | 'dimension'>

/**
 * Finds the kind of storage of a store, or chooses one for a new store, and passes its host to `open`. A lock keeps the
 * store from being destroyed meanwhile. The choice is recorded only once `ready` has resolved.
 */
export async function withHost<T>(
  spec: Wanted,
  open: (host: Host) => Promise<T>,
  ready?: Promise<unknown>,
): Promise<T> {
  const { storage, name } = spec
  if (storage === 'memory') return open(memoryHost(name))
  if (storage !== undefined && !(storage in KINDS))
    throw new NidusError('UNSUPPORTED', `this version has no storage ${storage}: use opfs, indexeddb or memory`)
  return guarded(name, { mode: 'shared' }, async () => {
    const kind = await kindOf(spec, storage as Kind | undefined, ready)
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

async function kindOf(
  { name, readOnly, dimension }: Wanted,
  asked: Kind | undefined,
  ready: Promise<unknown> | undefined,
): Promise<Kind> {
  const { recorded, blind } = await lookUp(name)
  if (recorded) return agreed(name, recorded, asked)
  // An earlier version made the store, or its kind could not be recorded. So every kind of storage is searched for the
  // store.
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
  await ready
  // Without a record the next opening might choose another kind. A caller who names the kind is expected to name it
  // again.
  if (asked === 'opfs' && blind) return asked
  try {
    return agreed(name, await recordKind(name, asked ?? (noOpfs ? 'indexeddb' : 'opfs')), asked)
  } catch (error) {
    if (asked || !isUnavailable(error)) throw error
    const opfs = noOpfs ? `neither in OPFS (${noOpfs.message})` : 'not in OPFS (the choice could not be recorded)'
    throw new NidusError(
      'STORAGE_UNAVAILABLE',
      `the store "${name}" cannot be created: ${opfs} nor in IndexedDB (${error.message})`,
      { cause: noOpfs ?? error },
    )
  }
}

/** Looks up the recorded kind. `blind` is the error if records cannot be read here. */
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
    throw new NidusError(
      'STORAGE_UNAVAILABLE',
      `the store "${name}" is kept in ${kind}, not in ${asked}: leave out \`storage\``,
    )
  return kind
}

/** Returns why OPFS cannot be used, or undefined. Throws if it is full, since another kind would be chosen for good. */
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
 * Runs the work under the lock of a store's kind. Openings share the lock, and a destroy has it alone. Insecure
 * contexts have no locks, and no OPFS either, so there the kind is always the same.
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
