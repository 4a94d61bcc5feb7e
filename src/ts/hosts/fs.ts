import { closeSync, existsSync, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, renameSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { NotPromoted, type Host } from '../engine/backend.js'
import { sleep } from '../engine/schedule.js'
import { NidusError, storageError } from '../errors.js'
import type { StoreFiles, StoreInfo } from '../types/index.js'
import { FsFile, type Guard } from './fs-file.js'
import { FsLock } from './fs-lock.js'
import { completes } from './fs-native.js'
import { LEFTOVERS, MARKER, NEW_DATA, NEW_LOG, mark, remove, settle, swap, syncDirectory } from './fs-promote.js'

const HEADER = 64
const MAGIC = [0x4e, 0x49, 0x44, 0x55, 0x53, 0] // "NIDUS\0"

/** A directory with native nidus's `data`, `log` and `lock`. The store's name is the directory's path. */
export function fsHost(name: string): Host {
  const directory = resolve(name)
  let lock: FsLock | undefined
  let fresh: StoreFiles | undefined
  let promoted = false

  const guard: Guard = {
    lost: undefined,
    check() {
      if (guard.lost) throw guard.lost
      if (lock?.held()) return
      guard.lost = new NidusError('FAILED', `${join(directory, 'lock')} is no longer this process's: another program took the store over`)
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

  function openWritable(mustExist: boolean): StoreFiles {
    const exists = (name: string) => existsSync(join(directory, name))
    if (mustExist && !exists('data') && !exists('log')) throw new NidusError('NOT_FOUND', `there is no store in ${directory}`)
    makeDirectory(directory)
    lock = FsLock.acquire(directory)
    guard.lost = undefined
    settle(directory, true)
    const created = ['log', 'data'].filter((name) => !exists(name))
    for (const name of created) closeSync(openSync(join(directory, name), 'wx'))
    const files = both('data', 'log', 'r+', guard)
    // Also where nothing was created: a process that was killed may have made or renamed files and not come to this.
    syncDirectory(directory)
    return files
  }

  async function openReadOnly(): Promise<StoreFiles> {
    for (let attempt = 1; ; attempt++) {
      const { data, log } = settle(directory, false)
      try {
        return both(data, log, 'r', undefined)
      } catch (error) {
        // A writer may be renaming a compacted pair into place.
        if (attempt === 5 || (error as { code?: string }).code !== 'ENOENT' || !existsSync(join(directory, 'log'))) throw error
        await sleep(20)
      }
    }
  }

  return {
    kind: 'fs',
    lendViews: true,
    async open({ readOnly, mustExist }) {
      if (readOnly) return openReadOnly()
      try {
        return openWritable(mustExist)
      } catch (error) {
        lock?.release()
        lock = undefined
        throw error
      }
    },
    async changed({ data, log }) {
      let change: 'no' | 'grew' | 'replaced' = 'no'
      const names = settle(directory, false)
      for (const [name, file] of [[names.data, data], [names.log, log]] as [string, FsFile][]) {
        const now = statSync(join(directory, name), { throwIfNoEntry: false })
        const then = fstatSync(file.fd)
        if (now?.ino !== then.ino || then.size < file.opened) return 'replaced'
        if (then.size > file.opened || then.mtimeMs !== file.modified) change = 'grew'
      }
      return change
    },
    async halfCompacted(files, readOnly) {
      const path = join(directory, 'log.tmp')
      if (!existsSync(path) || !completes(readFileSync(path), files.data.getSize(), readHeader(join(directory, 'data')))) return undefined
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
      promoted = false
      fresh = both(NEW_DATA, NEW_LOG, 'w+', guard)
      const { data, log } = fresh
      // Closed without having been promoted, they are of no more use.
      for (const [file, name] of [[data, NEW_DATA], [log, NEW_LOG]] as [FsFile, string][]) {
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
        mark(directory)
      } catch (error) {
        // With the marker gone, or never there, the old pair is the store. If that is uncertain, so is the outcome.
        remove(directory, MARKER)
        syncDirectory(directory)
        throw new NotPromoted(error)
      }
      promoted = true
      swap(directory)
    },
    // Writing is durable by itself; that the store is still ours was seen before each write.
    async commit() {},
    async close() {
      lock?.release()
      lock = undefined
    },
    async destroy() {
      destroyFs(directory)
    },
  }
}

/** With every directory above that had to be made; their names are durable afterwards. */
function makeDirectory(directory: string) {
  const first = mkdirSync(directory, { recursive: true })
  if (first === undefined) return
  for (let made = directory; ; made = dirname(made)) {
    syncDirectory(dirname(made))
    if (made === resolve(first) || made === dirname(made)) return
  }
}

function readHeader(path: string): number | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const header = new Uint8Array(HEADER)
    if (readSync(file, header, 0, HEADER, 0) !== HEADER || !MAGIC.every((byte, i) => header[i] === byte)) return undefined
    return new DataView(header.buffer).getUint32(8, true)
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Removes the store's own files, and the directory if nothing else is in it. */
export function destroyFs(name: string): void {
  const directory = resolve(name)
  const data = join(directory, 'data')
  try {
    const size = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.size
    if (size('data') === undefined && size('log') === undefined) return
    // A directory that merely has a file called `data` is somebody's, but no store.
    if ((size('data') ?? 0) > 0 && readHeader(data) === undefined) throw new NidusError('INVALID_ARGUMENT', `${data} is not a store's`)
    const lock = FsLock.acquire(directory)
    try {
      for (const name of ['log', 'data', ...LEFTOVERS, 'log.tmp', 'data.tmp']) remove(directory, name)
    } finally {
      lock.release()
    }
    try {
      rmdirSync(directory)
    } catch {
      // Other files are in it.
    }
  } catch (error) {
    throw storageError(error, `the store in ${directory} could not be removed`, true)
  }
}

export function listFs(root = '.'): StoreInfo[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => {
        const name = join(root, entry.name)
        const dimension = readHeader(join(name, 'data'))
        const size = (file: string) => statSync(join(name, file), { throwIfNoEntry: false })?.size
        // Of what cannot be read, or is no store, not even the sizes are asked: that may throw.
        if (dimension === undefined) return []
        const [data, log] = [size('data'), size('log')]
        if (log === undefined) return []
        return [{ name, storage: 'fs', dimension, diskBytes: (data ?? 0) + log }]
      })
  } catch (error) {
    throw storageError(error, `the directory ${root} could not be listed`, true)
  }
}
