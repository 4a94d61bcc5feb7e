import type { Host } from '../../contract/host.js'
import { NotPromoted } from '../../contract/host.js'
import { sleep } from '../../runtime/schedule.js'
import { NidusError, readOnlyError } from '../../errors/errors.js'
import type { StoreFiles, SyncAccessHandle } from '../../types/index.js'
import {
  foreignError,
  foreignOf,
  lookAtData,
  lookAtLog,
  missingError,
  missingOf,
  type Seen,
} from '../../format/ownership.js'
import { lookAgain } from '../look-again.js'
import { type WORDS } from '../../format/words-file.js'
import { HEAD_SIZE, decodeHead, encodeSlot, isForeignHead, slotOffset } from './head.js'
import { Mark } from './mark.js'

const ROOT = 'nidus-wasm'
export const FILES = ['head', 'data.0', 'log.0', 'data.1', 'log.1'] as const
/** Browsers release the handles of a closed page a little late. This is how long an opening waits for them. */
const LATE_RELEASE_MS = 2000

export type FileName = (typeof FILES)[number]
type Handle = Required<Omit<SyncAccessHandle, 'readAsync'>>
type OpenableFile = FileSystemFileHandle & { createSyncAccessHandle?: () => Promise<Handle> }

/** Turns any name into one path segment. Different names give different segments. */
export const encodeName = (name: string) =>
  encodeURIComponent(name).replace(/[.~*'()!]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)

export async function rootDirectory(create: boolean): Promise<FileSystemDirectoryHandle> {
  const storage = (globalThis.navigator as Navigator | undefined)?.storage
  if (typeof storage?.getDirectory !== 'function') {
    throw new NidusError('STORAGE_UNAVAILABLE', 'OPFS does not exist here (it needs https or localhost)')
  }
  return (await storage.getDirectory()).getDirectoryHandle(ROOT, { create })
}

/**
 * Wraps a handle for the store. A short write is completed, or an error is thrown. `close` does nothing, because the
 * host closes the real handle.
 */
function sink(handle: Handle): SyncAccessHandle {
  return {
    read: (buffer, options) => handle.read(buffer, options),
    write(buffer, { at }) {
      let done = 0
      // Near the quota a browser may write fewer bytes than asked for without an error. The next try then throws.
      while (done < buffer.length) {
        const written = handle.write(done === 0 ? buffer : buffer.subarray(done), { at: at + done })
        // This is the only sign of a full quota in Firefox.
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
 * Returns the host of a store in OPFS. The store has five files. They are made once and never removed, because the name
 * of a new file is not durable at once. `head` says which pair of files is current.
 */
export function opfsHost(name: string): Host {
  let directory: FileSystemDirectoryHandle
  let handles: { [K in FileName]: Handle } | undefined
  let generation = 0
  let created: StoreFiles | undefined
  /** True if the pair that is not current may hold bytes to be removed. */
  let stale = false
  let mark: Mark
  /** A file of another program, in the pair that is not current. */
  let foreignFile: FileName | undefined

  const pair = (of: number): StoreFiles => ({
    data: sink(handles![`data.${of % 2}` as FileName]),
    log: sink(handles![`log.${of % 2}` as FileName]),
  })
  const empty = ({ data, log }: StoreFiles) => {
    log.truncate(0)
    data.truncate(0)
  }
  const sizeOf = ({ data, log }: StoreFiles) => data.getSize() + log.getSize()
  const closeAll = () => {
    for (const handle of Object.values(handles ?? {})) handle.close()
    handles = undefined
  }

  const mustBeThere = async (removed: Promise<boolean>) => {
    if (await removed)
      throw new NidusError(
        'FAILED',
        `the files of the store "${name}" were removed while it was open (storage cleared?)`,
      )
  }

  async function openWritable(mustExist: boolean): Promise<StoreFiles> {
    directory = await findDirectory(name, !mustExist)
    if (mustExist) await directory.getFileHandle('head')
    foreignFile = (await lookAtFiles(name, directory))[0]
    handles = await lockAll(name, directory)
    const head = new Uint8Array(HEAD_SIZE)
    handles.head.read(head, { at: 0 })
    const current = decodeHead(head)
    if (current === undefined) {
      // The head is written before any other file. If it was never written, the other files must be empty.
      if (sizeOf(pair(0)) + sizeOf(pair(1)) > 0)
        throw new NidusError('CORRUPT', `both slots of the head of "${name}" are damaged: restore a copy`)
      sink(handles.head).write(encodeSlot(0), { at: slotOffset(0) })
    }
    // A killed worker may have written a slot without a flush. All later steps rely on that slot.
    handles.head.flush()
    generation = current ?? 0
    mark = new Mark(directory, sink(handles.head), generation)
    // A current pair always has at least a header. If it is empty and the other pair is not, the head has lost its
    // newer slot.
    const files = pair(generation)
    const other = pair(generation + 1)
    if (sizeOf(files) === 0 && sizeOf(other) > 0)
      throw new NidusError('CORRUPT', `the newer slot of the head of "${name}" is damaged: restore a copy`)
    stale = !foreignFile && sizeOf(other) > 0
    // An import into a new store was not finished (see `create`). Its bytes must be gone before the zero byte that
    // marks it can go.
    if (stale && sizeOf(files) < 64) {
      empty(other)
      other.data.flush()
      other.log.flush()
    }
    return files
  }

  return {
    kind: 'opfs',
    lendViews: true,
    inside: () => findDirectory(name, false),
    async open({ readOnly, mustExist, lenient }) {
      if (readOnly) return lookAgain(() => openSnapshot(name, lenient))
      try {
        return await openWritable(mustExist)
      } catch (error) {
        closeAll()
        throw error
      }
    },
    async changed(files) {
      const { data, log } = files as { data: Snapshot; log: Snapshot }
      const now = await openSnapshot(name, true).catch(() => undefined)
      if (
        !now ||
        now.generation !== data.generation ||
        now.log.getSize() < log.getSize() ||
        now.data.getSize() < data.getSize()
      )
        return 'replaced'
      return now.log.modified !== log.modified || now.data.modified !== data.modified ? 'grew' : 'no'
    },
    async create() {
      if (foreignFile)
        throw foreignError(
          `"${foreignFile}", whose name is needed, in the store "${name}"`,
          foreignFile.split('.')[0] as 'data',
          'INVALID_ARGUMENT',
        )
      empty(pair(generation + 1))
      // The store is not made yet, so its current pair is empty. The bytes of the new pair must not make it look as if
      // the head had lost a slot. So one zero byte marks a creation that was not finished.
      const files = pair(generation)
      if (sizeOf(files) === 0) {
        files.data.write(new Uint8Array(1), { at: 0 })
        files.data.flush()
      }
      // No commit comes before the promotion. If the pair is never promoted, the next commit empties it.
      stale = true
      return (created = pair(generation + 1))
    },
    async promote(files) {
      if (files !== created) throw new NotPromoted(new Error('this pair was not made by create()'))
      mark.promote(generation + 1)
      handles!.head.flush()
      generation++
      await mustBeThere(mark.removed())
    },
    begin: () => mark.check(),
    async commit(begun = mark.check()) {
      await mustBeThere(begun)
      if (!stale) return
      stale = false
      empty(pair(generation + 1))
    },
    async close() {
      // In Chromium, closing the handle of a removed file never returns. The end of the worker releases the handle.
      if (handles && (await mark.removed())) handles = undefined
      closeAll()
    },
  }
}

/** Throws if no handle can be opened here. That the method exists says little, so this opens one. */
export async function probeOpfs(): Promise<void> {
  const root = await rootDirectory(true)
  // The dot sets this name apart from the directories of stores. The random part sets it apart from other probes.
  const name = `probe.${crypto.randomUUID()}`
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

export async function findDirectory(name: string, create: boolean) {
  return (await rootDirectory(create)).getDirectoryHandle(encodeName(name), { create })
}

function openHandle(file: OpenableFile): Promise<Handle> {
  if (file.createSyncAccessHandle) return file.createSyncAccessHandle()
  throw new NidusError('STORAGE_UNAVAILABLE', 'OPFS handles exist only in dedicated workers')
}

/** Opens all five files, or none. `head` is the lock. Its holder may wait for the other files. */
export async function lockAll(name: string, directory: FileSystemDirectoryHandle, names: readonly FileName[] = FILES) {
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
    // Waits for all of them, so that none is still being opened when one has failed.
    for (const result of await Promise.allSettled(others.map(lock)))
      if (result.status === 'rejected') throw result.reason
    return handles as { [K in FileName]: Handle }
  } catch (error) {
    for (const handle of Object.values(handles)) handle.close()
    throw error
  }
}

/** Does what `refuseOthers` does for a caller who is about to take the lock. */
export const lookAtFiles = (name: string, directory: FileSystemDirectoryHandle, code?: 'INVALID_ARGUMENT') =>
  lookAgain(
    () => refuseOthers(name, directory, code),
    async () => {
      if ((await fileIn(directory, 'head')) instanceof File) (await lockAll(name, directory, ['head'])).head.close()
    },
  )

export const FOLDER = 'folder'

export async function fileIn(
  directory: FileSystemDirectoryHandle,
  name: FileName | typeof WORDS,
): Promise<File | typeof FOLDER | undefined> {
  try {
    return await (await directory.getFileHandle(name)).getFile()
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return undefined
    if ((error as Error).name === 'TypeMismatchError') return FOLDER
    throw error
  }
}

/**
 * Checks the files before anything is made or removed. Refuses files of another program. Refuses a store in which a
 * file is missing beside rows or operations, so that the file is not made anew. Files of another program in the pair
 * that is not current are allowed: they are returned, so that the caller leaves them alone.
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
  // All at once, because each answer comes from another process.
  const found = FILES.map(async (name) => {
    const file = await fileIn(directory, name)
    if (file === FOLDER) throw foreign(name)
    if (!file) return
    const start = new Uint8Array(await file.slice(0, HEAD_SIZE).arrayBuffer())
    if (name === 'head') head = start
    else seen[name] = (name < 'e' ? lookAtData : lookAtLog)(start, file.size)
  })
  // The first one that is refused counts, in the order of the files.
  for (const result of await Promise.allSettled(found)) if (result.status === 'rejected') throw result.reason
  if (head && isForeignHead(head)) throw foreign('head')
  const generation = head && decodeHead(head)
  const of = (file: 'data' | 'log') => seen[`${file}.${(generation ?? 0) % 2}`]
  const rows = [0, 1].some((one) => seen[`data.${one}`]?.look === 'ours')
  // Without a head and without rows of ours, every file that has bytes belongs to another program.
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

/** Opens the store for reading, through File objects. These take no lock, so a writer may be at work meanwhile. */
export async function openSnapshot(
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
    throw readOnlyError(name)
  }
  const snapshot = (blob: File, again: () => Promise<File>): Snapshot => ({
    generation,
    modified: `${blob.size} ${blob.lastModified}`,
    async readAsync(at, length) {
      // The browser refuses to read a file that has grown since. It is opened again: its first bytes are the same as
      // long as the head is.
      const read = (of: File) => of.slice(at, Math.min(at + length, blob.size)).arrayBuffer()
      return new Uint8Array(await read(blob).catch(() => lookAgain(async () => read(await again()))))
    },
    write: refuse,
    truncate: refuse,
    flush() {},
    getSize: () => blob.size,
    close() {},
  })
  // The log is opened first, because rows are durable before the frames that name them.
  const open = async (name: 'log' | 'data') => {
    const again = () => file(`${name}.${generation % 2}` as FileName)
    return snapshot(await again(), again)
  }
  const log = await open('log')
  return { log, data: await open('data'), generation }
}
