import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { NotPromoted, type OwnHost } from '../../contract/host.js'
import { sleep } from '../../runtime/schedule.js'
import { NidusError, storageError } from '../../errors/errors.js'
import type { StoreFiles, StoreInfo, SyncAccessHandle } from '../../types/index.js'
import { fsDerived, removeDraft, removeWords } from './derived.js'
import { FsFile, type Guard } from './file.js'
import { FsLock } from './lock.js'
import { completes } from './native.js'
import {
  absent,
  directoryOf,
  isMissing,
  pairIn,
  plain,
  refuseForeign,
  refuseMissing,
  refuseNoFolder,
} from './ownership.js'
import { HEADER, lookAtData } from '../../format/ownership.js'
import { lookAgain } from '../look-again.js'
import {
  makeRoom,
  mark,
  remove,
  removeLeftovers,
  removeMarker,
  settle,
  swap,
  syncDirectory,
  type Names,
} from './promote.js'

/**
 * Returns the host of a store in a directory. It has the same files as native nidus: `data`, `log` and `lock`. The
 * store's name is the path of the directory, or its `file:` URL.
 */
export function fsHost(name: string): OwnHost {
  const directory = directoryOf(name)
  let lock: FsLock | undefined
  let fresh: StoreFiles | undefined
  let promoted = false
  let names: Names

  const guard: Guard = {
    lost: undefined,
    check() {
      if (guard.lost) throw guard.lost
      if (lock?.held()) return
      guard.lost = new NidusError(
        'FAILED',
        `${join(directory, 'lock')} is no longer this process's: another program took the store over`,
      )
      throw guard.lost
    },
  }
  const file = (name: string, flags: string, guarded: Guard | undefined) => {
    const path = join(directory, name)
    return new FsFile(openSync(path, flags), path, guarded)
  }
  const both = (data: string, log: string, flags: string, guarded: Guard | undefined): StoreFiles => {
    const opened = file(log, flags, guarded)
    try {
      return { log: opened, data: file(data, flags, guarded) }
    } catch (error) {
      opened.close()
      throw error
    }
  }

  /** The files and directories that this opening made. They are removed again if the opening is refused. */
  let made: { files: string[]; root: string | undefined } = { files: [], root: undefined }

  const refuseIfHeld = () => FsLock.refuseIfHeld(directory)
  const isHeld = () => FsLock.lockedBy(directory) !== undefined

  /** Refuses files of another program. Called before anything is made, and again under the lock. */
  function look() {
    refuseNoFolder(directory)
    const pair = pairIn(directory)
    // If both files exist, the core finds out more about damage.
    refuseForeign(directory, pair)
    refuseMissing(directory, pair)
    return pair
  }

  async function openWritable(mustExist: boolean): Promise<StoreFiles> {
    const before = await lookAgain(look, refuseIfHeld)
    if (mustExist && !before.data && !before.log) throw new NidusError('NOT_FOUND', `there is no store in ${directory}`)
    lock = takeLock(mustExist)
    guard.lost = undefined
    look()
    settle(directory, true)
    removeDraft(directory)
    const pair = look()
    for (const name of ['log', 'data'] as const) {
      if (pair[name]) continue
      closeSync(openSync(join(directory, name), 'wx'))
      made.files.push(name)
    }
    const files = both('data', 'log', 'r+', guard)
    // Needed even if nothing was created now: a killed process may have made or renamed files and not synced them.
    syncDirectory(directory)
    return files
  }

  /** Makes the directory and takes the lock. A process that destroys a store may remove the directory in between. */
  function takeLock(mustExist: boolean): FsLock {
    for (let attempt = 1; ; attempt++) {
      try {
        if (!mustExist) made = { files: [], root: makeDirectory(directory) }
        return FsLock.acquire(directory)
      } catch (error) {
        if (mustExist || attempt === 10 || !['ENOENT', 'EEXIST'].includes((error as { code?: string }).code ?? ''))
          throw error
      }
    }
  }

  /** Removes what a refused opening made, and releases the lock. */
  function takeBack() {
    for (const name of made.files) {
      if (statSync(join(directory, name), { throwIfNoEntry: false })?.size === 0) remove(directory, name)
    }
    lock?.release()
    lock = undefined
    const { root } = made
    made = { files: [], root: undefined }
    for (let path = directory; root !== undefined; path = dirname(path)) {
      try {
        rmdirSync(path)
      } catch {
        return // Another program has put something there.
      }
      if (path === root || path === dirname(path)) return
    }
  }

  async function openReadOnly(lenient: boolean): Promise<StoreFiles> {
    refuseNoFolder(directory)
    for (let attempt = 1; ; attempt++) {
      const { data, log } = settle(directory, false)
      // Refuses a named pipe, which would never answer.
      for (const name of [data, log]) plain(join(directory, name))
      try {
        return both(data, log, 'r', undefined)
      } catch (error) {
        if (!isMissing(error)) throw error
        // A writer may be renaming a compacted pair into place.
        if (attempt < 5 && existsSync(join(directory, 'log'))) await sleep(20)
        else return readRest(lenient, error)
      }
    }
  }

  function changeOf({ data, log }: StoreFiles): 'no' | 'grew' | 'replaced' {
    let change: 'no' | 'grew' = 'no'
    const names = settle(directory, false)
    for (const [name, file] of [
      [names.data, data],
      [names.log, log],
    ] as [string, FsFile | ReturnType<typeof absent>][]) {
      const now = statSync(join(directory, name), { throwIfNoEntry: false })
      if ('absent' in file) {
        if (now) return 'replaced'
        continue
      }
      const then = fstatSync(file.fd)
      if (now?.ino !== then.ino || then.size < file.opened) return 'replaced'
      if (then.size > file.opened || then.mtimeMs !== file.modified) change = 'grew'
    }
    return change
  }

  /** Opens the rest of a store in which one of the two files is missing, or both are. */
  function readRest(lenient: boolean, error: unknown): StoreFiles {
    const pair = pairIn(directory)
    if (!pair.data && !pair.log) throw error
    if (!lenient) refuseMissing(directory, pair)
    if (!lenient) throw new NidusError('NOT_FOUND', `the creation of the store in ${directory} was never finished`)
    const one = (name: 'data' | 'log'): SyncAccessHandle => (pair[name] ? file(name, 'r', undefined) : absent())
    return { log: one('log'), data: one('data') }
  }

  return {
    kind: 'fs',
    lendViews: true,
    derived: fsDerived(directory, guard),
    async open({ readOnly, mustExist, lenient }) {
      made = { files: [], root: undefined }
      if (readOnly) return lookAgain(() => openReadOnly(lenient === true), isHeld)
      try {
        return await openWritable(mustExist)
      } catch (error) {
        takeBack()
        throw error
      }
    },
    async refused() {
      if (lock) takeBack()
    },
    async changed(files) {
      try {
        return changeOf(files)
      } catch {
        return 'replaced' // The store is being removed or compacted. The next opening tells more.
      }
    },
    async halfCompacted(files, readOnly) {
      const path = join(directory, 'log.tmp')
      if (!isFile(path) || !completes(readFileSync(path), files.data.getSize(), readDimension(join(directory, 'data'))))
        return undefined
      if (readOnly) {
        files.log.close()
        return { data: files.data, log: file('log.tmp', 'r', undefined) }
      }
      guard.check()
      const synced = openSync(path, 'r+')
      fsyncSync(synced)
      closeSync(synced)
      renameSync(path, join(directory, 'log'))
      syncDirectory(directory)
      files.log.close()
      return { data: files.data, log: file('log', 'r+', guard) }
    },
    async create() {
      guard.check()
      names = makeRoom(directory)
      promoted = false
      fresh = both(names.data, names.log, 'wx+', guard)
      const { data, log } = fresh
      // A file that is closed before the promotion is of no more use, so closing removes it.
      for (const [file, name] of [
        [data, names.data],
        [log, names.log],
      ] as [FsFile, string][]) {
        const close = file.close.bind(file)
        file.close = () => {
          close()
          if (!promoted && !guard.lost) remove(directory, name)
        }
      }
      return fresh
    },
    async promote(files) {
      try {
        if (files !== fresh) throw new Error('this pair was not made by create()')
        guard.check()
        for (const file of [files.data, files.log] as FsFile[]) fsyncSync(file.fd)
        mark(directory, names)
      } catch (error) {
        // Without a marker, the old pair is the store. If the marker cannot be removed, the outcome is unknown.
        removeMarker(directory, names)
        throw new NotPromoted(error)
      }
      promoted = true
      swap(directory, names)
    },
    // The flushes have made the writes durable. Each write has checked that the store is still ours.
    async commit() {},
    async close() {
      lock?.release()
      lock = undefined
    },
    async destroy() {
      await destroyFs(directory)
    },
  }
}

/**
 * Makes a directory and all those above it. Returns the first one that it made. In a place that cannot be written to,
 * Node 20 fails with ENOENT, which says nothing. Making the first missing directory alone gives the true error.
 */
function makeAll(directory: string): string | undefined {
  try {
    return mkdirSync(directory, { recursive: true })
  } catch (error) {
    if (!isMissing(error)) throw error
    let first = directory
    while (!existsSync(dirname(first)) && first !== dirname(first)) first = dirname(first)
    mkdirSync(first)
    return mkdirSync(directory, { recursive: true }) ?? first
  }
}

/** Makes a directory and all those above it. Their names are durable afterwards. Returns the first one that it made. */
function makeDirectory(directory: string): string | undefined {
  const first = makeAll(directory)
  if (first === undefined) return undefined
  for (let made = directory; ; made = dirname(made)) {
    syncDirectory(dirname(made))
    if (made === resolve(first) || made === dirname(made)) return resolve(first)
  }
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** Returns the dimension that the header of a data file names, if the file is a store's. */
function readDimension(path: string): number | undefined {
  let file: number | undefined
  try {
    if (!isFile(path)) return undefined
    file = openSync(path, 'r')
    const header = new Uint8Array(HEADER)
    if (readSync(file, header, 0, HEADER, 0) !== HEADER || lookAtData(header, HEADER).look !== 'ours') return undefined
    return new DataView(header.buffer).getUint32(8, true)
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/**
 * Removes the store's own files, and the directory if nothing else is in it. Refuses files of another program, and
 * names them.
 */
export async function destroyFs(name: string): Promise<void> {
  const directory = directoryOf(name)
  const look = () => {
    refuseNoFolder(directory)
    const pair = pairIn(directory)
    refuseForeign(directory, pair, 'INVALID_ARGUMENT')
    return pair
  }
  try {
    const pair = await lookAgain(look, () => FsLock.refuseIfHeld(directory))
    if (!pair.data && !pair.log) return
    let lock: FsLock
    try {
      lock = FsLock.acquire(directory)
    } catch (error) {
      if (isMissing(error)) return // Another process has removed the directory.
      throw error
    }
    try {
      look()
      removeLeftovers(directory, ['log.tmp', 'data.tmp'])
      removeWords(directory)
      for (const name of ['log', 'data']) remove(directory, name)
    } finally {
      lock.release()
    }
    try {
      rmdirSync(directory)
    } catch {
      // The directory holds other files, so it stays.
    }
  } catch (error) {
    throw storageError(error, `the store in ${directory} could not be removed`, true)
  }
}

export function listFs(given = '.'): StoreInfo[] {
  const root = /^file:\//i.test(given) || given.includes('\0') ? directoryOf(given) : given
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => {
        const name = join(root, entry.name)
        const dimension = readDimension(join(name, 'data'))
        const size = (file: string) => statSync(join(name, file), { throwIfNoEntry: false })?.size
        // If this is no store, or cannot be read, its sizes are not asked for. That might throw.
        if (dimension === undefined) return []
        const [data, log] = [size('data'), size('log')]
        if (log === undefined) return []
        return [{ name, storage: 'fs', dimension, diskBytes: (data ?? 0) + log }]
      })
  } catch (error) {
    throw storageError(error, `the directory ${root} could not be listed`, true)
  }
}
