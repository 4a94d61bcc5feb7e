import { Opening, type Store } from '../core/core.js'
import { NidusError, coreError, invalid, isCoded, isTrap, storageError } from '../errors/errors.js'
import type { StoreFiles, SyncAccessHandle } from '../types/index.js'
import { deadCore, noteTrap } from '../core/load.js'
import type { OpenSpec } from '../contract/backend.js'
import type { Host } from '../contract/host.js'
import { HEADER } from '../format/ownership.js'
import { fill, readSome } from './rows.js'
import { breathe, inSlices, sleep } from '../runtime/schedule.js'

const SLICE = 4 * 1024 * 1024
/** The number of runs in a sample of rows, and of rows in each run. A run is read at once. */
const SAMPLE = { runs: 64, rows: 32 }
export const TRIES = 8

export interface Opened {
  core: Store
  files: StoreFiles
}

/** Takes the host's lock and replays the files. If anything fails, nothing stays locked or open. */
export async function openStore(spec: OpenSpec, host: Host): Promise<Opened> {
  const mustExist = spec.readOnly || spec.dimension === undefined
  for (let attempt = 1; ; attempt++) {
    // If this rejects, the host is not closed: its close() might release another opening's lock.
    const files = await openHost(spec, host, mustExist)
    try {
      checkFiles(files)
      const core = await replayOrComplete(spec, host, files)
      if (!('changed' in core)) {
        // Makes the header of a new store durable, or what recovery cut.
        if (host.transactional && !spec.readOnly) await settle(spec, host, core.core)
        return core
      }
      if (attempt === TRIES) {
        throw new NidusError('STORAGE_FAILED', `the store "${spec.name}" kept changing: try again`)
      }
    } catch (error) {
      await refuse(files, host)
      throw error
    }
    await release(files, host)
    await sleep(10 * attempt)
  }
}

async function settle(spec: OpenSpec, host: Host, core: Store) {
  try {
    await host.commit()
  } catch (error) {
    core.free()
    throw storageError(error, `opening the store "${spec.name}" could not be committed`)
  }
}

export async function openHost(
  spec: Pick<OpenSpec, 'name' | 'readOnly'>,
  host: Host,
  mustExist: boolean,
  lenient?: true,
): Promise<StoreFiles> {
  try {
    return await host.open({ readOnly: spec.readOnly, mustExist, ...(lenient && { lenient }) })
  } catch (error) {
    const coded = storageError(error, `the store "${spec.name}" (${host.kind}) could not be opened`, true)
    if (coded.code === 'NOT_FOUND' && !spec.readOnly && mustExist)
      throw invalid(`there is no store "${spec.name}", and without a dimension none can be created`, coded)
    throw coded
  }
}

export function checkFiles(files: StoreFiles | undefined) {
  checkHandle(files?.data, 'data')
  checkHandle(files?.log, 'log')
}

function checkHandle(handle: SyncAccessHandle | undefined, which: string) {
  for (const method of ['write', 'truncate', 'flush', 'getSize', 'close'] as const) {
    if (typeof handle?.[method] !== 'function')
      throw invalid(`the storage host's ${which} handle has no method ${method}`)
  }
  if (typeof handle?.read !== 'function' && typeof handle?.readAsync !== 'function') {
    throw invalid(`the storage host's ${which} handle has neither read nor readAsync`)
  }
}

async function replayOrComplete(spec: OpenSpec, host: Host, files: StoreFiles): Promise<Opened | { changed: true }> {
  let core: Store | undefined
  let failure: NidusError | undefined
  try {
    core = await replay(spec, host, files)
  } catch (error) {
    failure = error as NidusError
  }
  if (spec.readOnly && host.changed) {
    const change = await host.changed(files)
    // A file that only grew was read whole up to its former end. But damage in it may be a run that is being written.
    if (change === 'replaced' || (change === 'grew' && failure)) {
      core?.free()
      return { changed: true }
    }
  }
  if (core) return { core, files }
  if (failure!.code !== 'CORRUPT' || !host.halfCompacted) throw failure
  const completed = await host.halfCompacted(files, spec.readOnly)
  if (!completed) throw failure
  try {
    return { core: await replay(spec, host, completed), files: completed }
  } catch (error) {
    await release(completed, undefined)
    throw error
  }
}

export async function replay(spec: OpenSpec, host: Host, { data, log }: StoreFiles): Promise<Store> {
  const lend = host.lendViews === true
  let opening: Opening | undefined
  try {
    // The log's length is asked first: rows are durable before the frames that name them.
    const logLength = log.getSize()
    const dataLength = data.getSize()
    opening = new Opening(
      dataLength,
      logLength,
      spec.dimension,
      spec.readOnly,
      spec.relaxed,
      host.transactional === true,
      spec.maxVectorBytes,
      spec.compat !== undefined,
      spec.compactMemory,
    )
    const into = opening
    // The header is read first: with another dimension the log would seem to name rows beyond the data.
    let begun = 0
    if (spec.compactMemory && dataLength > HEADER) {
      // The header and a sample of rows come first. Rows that follow get their codes at once and are not kept.
      const header = await readSome(data, 0, HEADER)
      into.feedData(header)
      begun = header.length
      await giveSample(into, data)
    }
    await feed(
      data,
      lend,
      begun,
      dataLength,
      (length) => into.pullData(data, length),
      (bytes) => into.feedData(bytes),
    )
    await feed(
      log,
      lend,
      0,
      logLength,
      (length) => into.pullLog(log, length),
      (bytes) => into.feedLog(bytes),
    )
    opening = undefined // consumed by finish, also when that throws
    return into.finish(data, log, lend)
  } catch (error) {
    if (isTrap(error)) noteTrap(error)
    else opening?.free()
    if (deadCore()) throw coreError(error)
    throw isCoded(error) ? coreError(error) : storageError(error, `the store "${spec.name}" could not be read`)
  }
}

async function giveSample(opening: Opening, data: SyncAccessHandle) {
  const rows = opening.wantsSample
  const { runs, rows: each } = SAMPLE
  if (rows < runs * each) return
  const numbers = Uint32Array.from(
    { length: runs * each },
    (_, i) => Math.floor(((rows - each) * Math.floor(i / each)) / (runs - 1)) + (i % each),
  )
  const { dimension } = opening
  const sample = new Float32Array(numbers.length * dimension)
  await fill(sample, numbers, dimension, data)
  opening.sample(sample)
}

/**
 * Feeds the core with a file. `pull` reads straight into the core. A caller's own handle fills a buffer that it may
 * keep.
 */
export async function feed(
  handle: SyncAccessHandle,
  lend: boolean,
  from: number,
  size: number,
  pull: (length: number) => number,
  push: (bytes: Uint8Array) => void,
) {
  if (lend && handle.read) {
    let left = size - from
    return inSlices(() => {
      const pulled = left > 0 ? pull(Math.min(SLICE, left)) : 0
      left -= pulled
      return pulled === 0
    })
  }
  for (let at = from; at < size;) {
    const bytes = await readSome(handle, at, Math.min(SLICE, size - at))
    push(bytes)
    at += bytes.byteLength
    await breathe()
  }
}

/** Releases everything, and removes what this opening made. */
export async function refuse(files: StoreFiles, host: Host) {
  closeHandles(files)
  await host.refused?.().catch(() => {})
  await release(undefined, host)
}

/** Closes the files and the host. Ignores errors, because the caller throws the one that led here. */
export async function release(files: StoreFiles | undefined, host: Host | undefined) {
  closeHandles(files)
  await host?.close().catch(() => {})
}

/**
 * Closes the files. Hosts remove a file that is not of the current pair when it is closed. The log is closed first,
 * because a log without data may not show which program it belongs to.
 */
export function closeHandles(files: StoreFiles | undefined) {
  for (const handle of [files?.log, files?.data]) {
    try {
      handle?.close()
    } catch {
      // The handle is not used any more.
    }
  }
}
