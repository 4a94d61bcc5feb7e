import type { Host } from '../../contract/host.js'
import { NotPromoted } from '../../contract/host.js'
import { sleep } from '../../runtime/schedule.js'
import { NidusError, storageError } from '../../errors/errors.js'
import type { StoreFiles, StoreInfo, SyncAccessHandle } from '../../types/index.js'
import {
  foreignError,
  foreignOf,
  lookAtData,
  lookAtLog,
  missingError,
  missingOf,
  type Seen,
} from '../../format/ownership.js'
import { HEAD_SIZE, decodeHead, encodeSlot, isForeignHead, slotOffset } from './head.js'

const ROOT = 'nidus-wasm'
const FILES = ['head', 'data.0', 'log.0', 'data.1', 'log.1'] as const
/** Browsers release the handles of a page that is gone a little late. */
const LATE_RELEASE_MS = 2000

type FileName = (typeof FILES)[number]
type Handle = Required<Omit<SyncAccessHandle, 'readAsync'>>
type OpenableFile = FileSystemFileHandle & { createSyncAccessHandle?: () => Promise<Handle> }

/** Any name as one path segment, no two alike. */
const encodeName = (name: string) =>
  encodeURIComponent(name).replace(/[.~*'()!]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)

async function rootDirectory(create: boolean): Promise<FileSystemDirectoryHandle> {
  const storage = typeof navigator === 'undefined' ? undefined : navigator.storage
  if (typeof storage?.getDirectory !== 'function') {
    throw new NidusError(
      'STORAGE_UNAVAILABLE',
      'OPFS does not exist here (it needs https or localhost, and a browser that has it)',
    )
  }
  return (await storage.getDirectory()).getDirectoryHandle(ROOT, { create })
}

/**
 * Handles that are given out: a short write is made whole or thrown, and closing them leaves the real handle to the
 * host.
 */
function sink(handle: Handle): SyncAccessHandle {
  return {
    read: (buffer, options) => handle.read(buffer, options),
    write(buffer, { at }) {
      let done = 0
      // Near the quota a browser may write less than asked without a throw; the next try then says why.
      while (done < buffer.length) {
        const written = handle.write(done === 0 ? buffer : buffer.subarray(done), { at: at + done })
        // Firefox's only sign of a full quota.
        if (!(written > 0))
          throw new DOMException(`the browser wrote ${done} of ${buffer.length} bytes at ${at}`, 'QuotaExceededError')
        done += written
      }
      return done
    },
    truncate: (size) => handle.truncate(size),
    flush: () => handle.flush(),
    getSize: () => handle.getSize(),
    close() {},
  }
}

/**
 * Five files, made once and never removed, since a file's name is not durable when it is made; `head` says which pair
 * counts.
 */
export function opfsHost(name: string): Host {
  let directory: FileSystemDirectoryHandle
  let handles: { [K in FileName]: Handle } | undefined
  let generation = 0
  let unused: StoreFiles | undefined
  let stale = false
  /** Another program's file, of the pair that does not count. */
  let taken: FileName | undefined

  const pair = (of: number): StoreFiles => ({
    data: sink(handles![`data.${of % 2}` as FileName]),
    log: sink(handles![`log.${of % 2}` as FileName]),
  })
  const empty = (of: number) => {
    handles![`log.${of % 2}` as FileName].truncate(0)
    handles![`data.${of % 2}` as FileName].truncate(0)
  }
  const sizeOf = (of: number) =>
    handles![`data.${of % 2}` as FileName].getSize() + handles![`log.${of % 2}` as FileName].getSize()
  const closeAll = () => {
    for (const handle of Object.values(handles ?? {})) handle.close()
    handles = undefined
  }

  /** Handles go on writing to files that are gone. */
  const isRemoved = () =>
    directory.getFileHandle('head').then(
      () => undefined,
      (error: Error) => (error?.name === 'NotFoundError' ? error : undefined),
    )

  async function openWritable(mustExist: boolean): Promise<StoreFiles> {
    directory = await findDirectory(name, !mustExist)
    if (mustExist) await directory.getFileHandle('head')
    taken = (await refuseOthers(name, directory))[0]
    handles = await lockAll(name, directory)
    const head = new Uint8Array(HEAD_SIZE)
    handles.head.read(head, { at: 0 })
    const current = decodeHead(head)
    if (current === undefined) {
      // The head is written before anything else is, so behind an unwritten one there can be nothing.
      if (sizeOf(0) + sizeOf(1) > 0) throw new NidusError('CORRUPT', `both slots of the head of "${name}" are damaged`)
      handles.head.write(encodeSlot(0), { at: slotOffset(0) })
    }
    // Also a slot that a killed worker wrote and did not flush: all that follows builds on it.
    handles.head.flush()
    generation = current ?? 0
    // Whichever pair counts has at least a header from its first moment on; an empty one beside one that is not is a
    // head that lost its newer slot.
    if (sizeOf(generation) === 0 && sizeOf(generation + 1) > 0)
      throw new NidusError(
        'CORRUPT',
        `the head of "${name}" names an empty pair of files, yet the other pair is not empty`,
      )
    stale = !taken && sizeOf(generation + 1) > 0
    // An import as a new store that came to no end (see `create`). Gone before the one zero that says so can go.
    if (stale && sizeOf(generation) < 64) {
      empty(generation + 1)
      for (const file of ['data', 'log']) handles[`${file}.${(generation + 1) % 2}` as FileName].flush()
    }
    return pair(generation)
  }

  return {
    kind: 'opfs',
    lendViews: true,
    async open({ readOnly, mustExist, lenient }) {
      if (readOnly) return openSnapshot(name, lenient)
      try {
        return await openWritable(mustExist)
      } catch (error) {
        closeAll()
        throw error
      }
    },
    async changed(files) {
      const { data, log } = files as { data: Snapshot; log: Snapshot }
      const now = await openSnapshot(name, true)
      if (
        now.generation !== data.generation ||
        now.log.getSize() < log.getSize() ||
        now.data.getSize() < data.getSize()
      )
        return 'replaced'
      return now.log.modified !== log.modified || now.data.modified !== data.modified ? 'grew' : 'no'
    },
    async create() {
      if (taken)
        throw foreignError(
          `"${taken}", whose name is needed, in the store "${name}"`,
          taken.split('.')[0] as 'data',
          'INVALID_ARGUMENT',
        )
      empty(generation + 1)
      // In a store that is not made yet: what is going to be written beside must not make its empty pair look like a
      // lost slot's. One zero is a creation that was not finished.
      if (sizeOf(generation) === 0) {
        const data = handles![`data.${generation % 2}` as FileName]
        data.write(new Uint8Array(1), { at: 0 })
        data.flush()
      }
      // No commit happens before it is promoted; if it never is, the next one empties it again.
      stale = true
      return (unused = pair(generation + 1))
    },
    async promote(files) {
      if (files !== unused) throw new NotPromoted(new Error('this pair was not made by create()'))
      handles!.head.write(encodeSlot(generation + 1), { at: slotOffset(generation + 1) })
      handles!.head.flush()
      generation++
    },
    async commit() {
      const removed = await isRemoved()
      if (removed)
        throw new NidusError(
          'FAILED',
          `the files of the store "${name}" were removed while it was open (storage cleared?)`,
          { cause: removed },
        )
      if (!stale) return
      stale = false
      empty(generation + 1)
    },
    async close() {
      // Chromium never comes back from closing the handle of a file that is gone; the worker's end lets go of it.
      if (handles && (await isRemoved())) handles = undefined
      closeAll()
    },
    async destroy() {
      await removeStore(name)
    },
  }
}

/** Whether a handle really opens here: that it can be asked for says little. */
export async function probeOpfs(): Promise<void> {
  const root = await rootDirectory(true)
  // No store's directory: those have no dot in their names. Each its own, since others may probe at the same time.
  const name = `probe.${crypto.getRandomValues(new Uint32Array(2)).join('-')}`
  const file = (await root.getFileHandle(name, { create: true })) as OpenableFile
  try {
    ;(await openHandle(file)).close()
  } finally {
    await root.removeEntry(name).catch(() => {})
  }
}

export async function hasOpfs(name: string): Promise<boolean> {
  try {
    await findDirectory(name, false)
    return true
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return false
    throw error
  }
}

async function findDirectory(name: string, create: boolean) {
  return (await rootDirectory(create)).getDirectoryHandle(encodeName(name), { create })
}

function openHandle(file: OpenableFile): Promise<Handle> {
  if (file.createSyncAccessHandle) return file.createSyncAccessHandle()
  throw new NidusError(
    'STORAGE_UNAVAILABLE',
    'this browser has no synchronous OPFS handles (or not outside a dedicated worker)',
  )
}

/** All five, or none: `head` is the lock, and whoever has that may wait for the others. */
async function lockAll(name: string, directory: FileSystemDirectoryHandle, names: readonly FileName[] = FILES) {
  const deadline = Date.now() + LATE_RELEASE_MS
  const handles: { [file: string]: Handle } = {}
  const lock = async (file: FileName) => {
    const handle = (await directory.getFileHandle(file, { create: true })) as OpenableFile
    for (;;) {
      try {
        handles[file] = await openHandle(handle)
        return
      } catch (error) {
        if ((error as Error)?.name !== 'NoModificationAllowedError') throw error
        if (Date.now() >= deadline)
          throw new NidusError('LOCKED', `the store "${name}" is open elsewhere (another tab or worker)`, {
            cause: error,
          })
        await sleep(40)
      }
    }
  }
  try {
    const [head, ...others] = names
    await lock(head)
    // None is left opening when one has failed.
    for (const one of await Promise.allSettled(others.map(lock))) if (one.status === 'rejected') throw one.reason
    return handles as { [K in FileName]: Handle }
  } catch (error) {
    for (const handle of Object.values(handles)) handle.close()
    throw error
  }
}

const FOLDER = 'folder'

async function fileIn(directory: FileSystemDirectoryHandle, name: FileName): Promise<File | typeof FOLDER | undefined> {
  try {
    return await (await directory.getFileHandle(name)).getFile()
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return undefined
    if ((error as Error).name === 'TypeMismatchError') return FOLDER
    throw error
  }
}

/**
 * Before anything is made or removed: another program's file stays, and what is missing beside rows or operations is
 * not made anew. Of the pair that does not count another program's files are no hindrance: they are returned, to be
 * left alone.
 */
async function refuseOthers(
  store: string,
  directory: FileSystemDirectoryHandle,
  code?: 'INVALID_ARGUMENT',
  lenient?: boolean,
): Promise<FileName[]> {
  const called = (file: string) => `"${file}" of the store "${store}"`
  const foreign = (file: FileName) => foreignError(called(file), file.split('.')[0] as 'head', code)
  const seen: { [file: string]: Seen } = {}
  let head: Uint8Array | undefined
  for (const name of FILES) {
    const file = await fileIn(directory, name)
    if (file === FOLDER) throw foreign(name)
    if (!file) continue
    const start = new Uint8Array(await file.slice(0, HEAD_SIZE).arrayBuffer())
    if (name === 'head') head = start
    else seen[name] = (name < 'e' ? lookAtData : lookAtLog)(start, file.size)
  }
  if (head && isForeignHead(head)) throw foreign('head')
  const generation = head && decodeHead(head)
  const of = (file: 'data' | 'log') => seen[`${file}.${(generation ?? 0) % 2}`]
  const rows = [0, 1].some((one) => seen[`data.${one}`]?.look === 'ours')
  // Without a head and without rows of ours whatever has bytes is another program's.
  const others = FILES.filter((file) => seen[file]?.look === 'foreign' || (!head && !rows && seen[file]?.size))
  if (generation === undefined && others[0]) throw foreign(others[0])
  const which = generation !== undefined && !lenient && foreignOf(of('data'), of('log'))
  if (which) throw foreign(`${which}.${generation % 2}` as FileName)
  if (code) return others
  if (generation === undefined && rows)
    throw new NidusError(
      'CORRUPT',
      `${called('head')} is missing or damaged, and there are rows beside it. Nothing was changed: put it back`,
    )
  const missing = !lenient && missingOf(of('data')?.size, of('log')?.size)
  if (missing) throw missingError(called(`${missing}.${(generation ?? 0) % 2}`), missing)
  return others
}

interface Snapshot extends SyncAccessHandle {
  generation: number
  modified: string
}

/** Reading through File objects takes no lock, so a writer may be at work meanwhile. */
async function openSnapshot(
  name: string,
  lenient?: boolean,
): Promise<{ data: Snapshot; log: Snapshot; generation: number }> {
  const directory = await findDirectory(name, false)
  await refuseOthers(name, directory, undefined, lenient)
  const file = async (file: FileName) =>
    ((await fileIn(directory, file)) ?? new File([], file, { lastModified: 0 })) as File
  const head = new Uint8Array(await (await file('head')).arrayBuffer())
  const generation = decodeHead(head)
  if (generation === undefined)
    throw new NidusError('NOT_FOUND', `the creation of the store "${name}" was never finished`)
  const refuse = (): never => {
    throw new NidusError('READ_ONLY', `the store "${name}" was opened read-only`)
  }
  const snapshot = (blob: File, again: () => Promise<File>): Snapshot => ({
    generation,
    modified: `${blob.size} ${blob.lastModified}`,
    async readAsync(at, length) {
      // A file that has grown since is refused; its first bytes are the same as long as the head is.
      const read = (of: File) => of.slice(at, Math.min(at + length, blob.size)).arrayBuffer()
      return new Uint8Array(await read(blob).catch(async () => read(await again())))
    },
    write: refuse,
    truncate: refuse,
    flush() {},
    getSize: () => blob.size,
    close() {},
  })
  // The log first: rows are durable before the frames that name them.
  const open = async (name: 'log' | 'data') => {
    const again = () => file(`${name}.${generation % 2}` as FileName)
    return snapshot(await again(), again)
  }
  const log = await open('log')
  return { log, data: await open('data'), generation }
}

async function removeStore(name: string) {
  if (!(await hasOpfs(name))) return
  const directory = await findDirectory(name, false)
  const keep = await refuseOthers(name, directory, 'INVALID_ARGUMENT')
  const { head } = await lockAll(name, directory, ['head'])
  head.close()
  let others = keep.length > 0
  for await (const [file] of directory as unknown as AsyncIterable<[string, FileSystemHandle]>)
    others ||= !FILES.includes(file as FileName)
  if (!others) return (await rootDirectory(false)).removeEntry(encodeName(name), { recursive: true })
  // Another program's files stay, and with them the folder. The head goes last: with it a removal that broke off can be
  // tried again.
  for (const file of [...FILES].reverse().filter((file) => !keep.includes(file))) {
    await directory.removeEntry(file).catch((error: Error) => {
      if (error.name !== 'NotFoundError') throw error
    })
  }
}

export async function destroyOpfs(name: string): Promise<void> {
  try {
    await removeStore(name)
  } catch (error) {
    throw storageError(error, `the store "${name}" (opfs) could not be removed`, true)
  }
}

export async function listOpfs(): Promise<StoreInfo[]> {
  const stores: StoreInfo[] = []
  try {
    const root = await rootDirectory(true)
    for await (const [encoded, entry] of root as unknown as AsyncIterable<[string, FileSystemHandle]>) {
      if (entry.kind !== 'directory') continue
      const name = decodeURIComponent(encoded)
      const files = await openSnapshot(name).catch(() => undefined)
      if (!files) {
        stores.push({ name, storage: 'opfs', diskBytes: 0 })
        continue
      }
      const diskBytes = files.data.getSize() + files.log.getSize()
      const header = files.data.getSize() >= 64 ? await files.data.readAsync!(0, 64) : undefined
      const dimension = header && new DataView(header.buffer).getUint32(8, true)
      stores.push({ name, storage: 'opfs', diskBytes, ...(dimension && { dimension }) })
    }
  } catch (error) {
    throw storageError(error, 'the stores in OPFS could not be listed', true)
  }
  return stores.sort((a, b) => (a.name < b.name ? -1 : 1))
}
