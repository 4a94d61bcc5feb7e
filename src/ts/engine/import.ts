import type { Store } from '../core/core.js'
import { NidusError, invalid, storageError } from '../errors/errors.js'
import type { StoreFiles, SyncAccessHandle } from '../types/index.js'
import { deadCore } from '../core/load.js'
import type { OpenSpec, Source } from '../contract/backend.js'
import type { Host } from '../contract/host.js'
import { promote } from './compaction.js'
import { HEADER, foreignError, foreignOf, headOfLog, lookAtData, lookAtLog } from '../format/ownership.js'
import { checkFiles, closeHandles, openHost, refuse, release, replay, type Opened } from './open.js'
import { readSome } from './rows.js'
import { breathe } from '../runtime/schedule.js'

/** Returns whether the files hold a store. A store whose creation was not finished does not count. */
export const isStore = ({ data, log }: StoreFiles) => data.getSize() >= HEADER || log.getSize() > 0

/** Throws if the files that are about to be replaced belong to another program. */
export async function checkOurs(name: string, { data, log }: StoreFiles): Promise<void> {
  const first = async (handle: SyncAccessHandle, length: number) => {
    const parts: number[] = []
    while (parts.length < length) {
      const bytes = await readSome(handle, parts.length, length - parts.length)
      if (bytes.length === 0) break
      for (const byte of bytes) parts.push(byte)
    }
    return Uint8Array.from(parts)
  }
  const [dataSize, logSize] = [data.getSize(), log.getSize()]
  const start = await first(log, Math.min(logSize, HEADER))
  const looks = [
    lookAtData(await first(data, Math.min(dataSize, HEADER)), dataSize),
    lookAtLog(await first(log, headOfLog(start, logSize)), logSize),
  ] as const
  const foreign = foreignOf(...looks)
  if (foreign) throw foreignError(`the ${foreign} under the name "${name}"`, foreign)
}

/** Thrown if a new store was begun and certainly not completed. `cause` is the reason. */
export class Incomplete extends Error {
  constructor(cause: unknown) {
    super('incomplete', { cause })
  }
}

/** If `work` rejects with `Incomplete`, removes the new store and rejects with the cause. */
export async function orRemove<T>(work: Promise<T>, remove: () => Promise<void>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof Incomplete)) throw error
    await remove().catch(() => {})
    throw error.cause
  }
}

/**
 * Writes the source into a new pair of files, opens that pair as every opening does, and only then makes it the current
 * one. The parts of the source can come in any order, and their lengths need not be known. The bytes that are checked
 * are those that the medium gives back.
 */
export async function openImported(spec: OpenSpec, host: Host, { parts, replace }: Source): Promise<Opened> {
  const old = await openHost(spec, host, false)
  const exists = isStore(old)
  try {
    checkFiles(old)
    await checkOurs(spec.name, old)
    if (exists && !replace)
      throw new NidusError(
        'ALREADY_EXISTS',
        `there is a store "${spec.name}": with replace: true the import takes its place`,
      )
  } catch (error) {
    await refuse(old, host)
    throw storageError(error, 'what is there could not be read')
  }
  let files: StoreFiles | undefined
  let core: Store | undefined
  let unknown = false
  try {
    files = await attempt(() => host.create(true))
    checkFiles(files)
    for (let part; (part = await parts()); await breathe()) {
      const { file, bytes } = part
      const sink = files[file]
      await attempt(async () => {
        if (sink.write(bytes, { at: sink.getSize() }) !== bytes.length) throw new Error('a short write')
        await host.drain?.()
      })
    }
    await attempt(async () => host.drain?.(true))
    core = await replay(spec, host, files)
    if ((JSON.parse(core.recovery) as { created: boolean }).created)
      throw invalid('the data to be imported has no header')
    // If the signal was aborted before this point, `parts` has thrown.
    await parts()
    const { data, log } = files
    await attempt(async () => (data.flush(), log.flush()))
    await promote(host, files, 'the import', () => (unknown = true))
    closeHandles(old)
    return { core, files }
  } catch (error) {
    if (core && !deadCore()) core.free()
    closeHandles(files)
    // The host removes what the new pair has left on the medium.
    if (!unknown) await host.commit().catch(() => {})
    if (unknown) await release(old, host)
    else await refuse(old, host)
    throw exists || unknown ? error : new Incomplete(error)
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageError(error, 'the import could not be written')
  }
}
