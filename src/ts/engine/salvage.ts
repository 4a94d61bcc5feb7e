import { Salvage } from '../core/core.js'
import { NidusError, coreError, isCoded, isTrap, storageError } from '../errors/errors.js'
import type { Footprint, SalvagePlace, SalvageReport } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'
import { Reader } from '../core/wire.js'
import { deadCore, noteTrap } from '../core/load.js'
import { loadWhole, needWhole } from '../core/whole.js'
import type { SalvageSpec } from '../contract/backend.js'
import type { Host } from '../contract/host.js'
import { writeAnew } from './compaction.js'
import { TRIES, checkFiles, feed, openHost, refuse, release } from './open.js'
import { Incomplete, checkOurs, isStore, orRemove } from './import.js'
import { sleep } from '../runtime/schedule.js'

/** The most places of each kind that the core reports. */
const PLACES = 64

type With = <T>(work: (host: Host) => Promise<T>) => Promise<T>

/** The hosts of the two stores. */
export interface SalvageHosts {
  from: With
  /** The host on which a store may exist already under the new name. */
  probe: With
  into: With
  /** Removes the new store if `into` did not complete it. */
  remove(): Promise<void>
}

/** Reads a store without a lock and without changing it, and writes its good parts into a new store. */
export async function salvage(spec: SalvageSpec, hosts: SalvageHosts, wasm?: WasmSource): Promise<SalvageReport> {
  await loadWhole(wasm)
  needWhole('a salvage')
  if (await exists(hosts.probe))
    throw new NidusError('ALREADY_EXISTS', `the target "${spec.into}" exists: pass another name for \`into\``)
  const core = await hosts.from((host) => readAll(spec, host))
  try {
    const work = hosts.into(async (host) => {
      const { store, report } = finish(core, host)
      try {
        await writeInto(spec.into, host, store)
        return report
      } finally {
        if (!deadCore()) store.free()
      }
    })
    return await orRemove(work, hosts.remove)
  } finally {
    if (!deadCore()) core.free()
  }
}

/** Returns whether the host has a store. A store whose creation was not finished does not count. */
async function exists(probe: With): Promise<boolean> {
  try {
    return await probe(async (host) => {
      const files = await host.open({ readOnly: true, mustExist: true })
      const found = isStore(files)
      await release(files, host)
      return found
    })
  } catch (error) {
    const coded = storageError(error, 'the new store could not be read', true)
    if (coded.code === 'NOT_FOUND') return false
    throw coded
  }
}

async function readAll({ name, dimension }: SalvageSpec, host: Host): Promise<Salvage> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const files = await openHost({ name, readOnly: true }, host, true, true)
    let core: Salvage | undefined
    let whole = false
    try {
      checkFiles(files)
      const { data, log } = files
      const logLength = log.getSize()
      const dataLength = data.getSize()
      if (dataLength + logLength === 0)
        throw new NidusError('NOT_FOUND', `the creation of the store "${name}" was never finished`)
      const into = (core = new Salvage(dataLength, logLength, dimension))
      await feed(
        data,
        false,
        0,
        dataLength,
        () => 0,
        (bytes) => into.feed(false, bytes),
      )
      await feed(
        log,
        false,
        0,
        logLength,
        () => 0,
        (bytes) => into.feed(true, bytes),
      )
      whole = ((await host.changed?.(files)) ?? 'no') === 'no'
      if (whole) return core
    } catch (error) {
      if (isTrap(error)) noteTrap(error)
      if (isCoded(error) || deadCore()) throw coreError(error)
      throw storageError(error, `the store "${name}" could not be read`)
    } finally {
      if (!whole && !deadCore()) core?.free()
      await release(files, host)
    }
    await sleep(10 * attempt)
  }
  throw new NidusError('LOCKED', `the store "${name}" kept changing while it was being read: somebody writes to it`)
}

function run<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (isTrap(error)) noteTrap(error)
    throw coreError(error)
  }
}

type Numbers<N extends number, T extends number[] = []> = T['length'] extends N
  ? [...T, ...number[]]
  : Numbers<N, [...T, number]>

function finish(core: Salvage, host: Host) {
  const store = run(() => core.finish(host.transactional === true))
  const [
    framesTaken,
    framesSkipped,
    logBytesSkipped,
    damageCount,
    upsertsWithoutRow,
    documentsDropped,
    dataBytesSkipped,
    rowsWithoutName,
    unsupportedFrames,
    ...numbers
  ] = core.found as unknown as Numbers<9>
  const { rows, deadRows, docCount } = JSON.parse(store.footprint()) as Footprint
  const places = numbers.flatMap((offset, i): SalvagePlace[] =>
    i % 2 ? [] : [{ file: 'log', offset, length: numbers[i + 1] }],
  )
  const damage = places.slice(0, places.length - Math.min(unsupportedFrames, PLACES))
  const report: SalvageReport = {
    documents: docCount,
    collections: new Reader(store.collections()).strings().length,
    documentsDropped,
    upsertsWithoutRow,
    rows,
    rowsWithoutDocument: deadRows,
    rowsWithoutName,
    framesTaken,
    framesSkipped,
    bytesSkipped: logBytesSkipped + dataBytesSkipped,
    logBytesSkipped,
    dataBytesSkipped,
    damageCount,
    damage,
    ...(unsupportedFrames > 0 && {
      unsupported: {
        code: 'UNSUPPORTED_VERSION',
        frames: unsupportedFrames,
        places: places.slice(damage.length),
      },
    }),
  }
  return { store, report }
}

/** Writes the new store. Before `promote` there is no store, and after it the store is complete. */
async function writeInto(name: string, host: Host, store: ReturnType<Salvage['finish']>) {
  const old = await openHost({ name, readOnly: false }, host, false)
  try {
    checkFiles(old)
    await checkOurs(name, old)
    if (isStore(old)) throw new NidusError('ALREADY_EXISTS', `the target "${name}" exists: pass another \`into\``)
  } catch (error) {
    await refuse(old, host)
    throw storageError(error, 'what is there could not be read')
  }
  let unknown = false
  try {
    const files = await writeAnew({ core: store, host, run, fail: () => (unknown = true) })
    await release(old, undefined)
    await release(files, host)
  } catch (error) {
    if (unknown) await release(old, host)
    else await refuse(old, host)
    throw unknown ? error : new Incomplete(error)
  }
}
