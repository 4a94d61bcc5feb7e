// Writes an exported file. It has a temporary name until it is whole, so that no older file is lost if the export
// fails.
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, rmSync } from 'node:fs'
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { NidusError } from '../errors/errors.js'
import { lookAt } from '../hosts/fs/ownership.js'

export type Write = (bytes: Uint8Array) => Promise<void>

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Writes a file, makes it durable and gives it its name, in place of an older file of that name. If this fails, the
 * older file stays as it was.
 */
export async function writeWhole<T>(path: string, work: (write: Write) => Promise<T>): Promise<T> {
  // A link stays a link. The file that it leads to is replaced.
  const target = await realpath(path).catch(() => path)
  const there = await stat(target).catch(() => undefined)
  if (path === '') throw new NidusError('INVALID_ARGUMENT', "a file's name is needed")
  if (isInStore(target) || (there?.isFile() && isOfStore(target)))
    throw new NidusError(
      'INVALID_ARGUMENT',
      `${path} belongs to a store, which would be lost. Nothing was changed: use another name`,
    )
  if (there?.isDirectory()) throw new NidusError('INVALID_ARGUMENT', `${path} is a directory; a file's name is needed`)
  // A pipe or a device gets the bytes directly, because no file can take its place.
  if (there && !there.isFile()) return into(await open(target, 'w'), work, false)
  const part = join(dirname(target), `.${basename(target).slice(0, 80)}.${randomUUID()}.part`)
  const end = (signal: NodeJS.Signals) => {
    rmSync(part, { force: true })
    for (const name of SIGNALS) process.off(name, end)
    process.kill(process.pid, signal)
  }
  for (const name of SIGNALS) process.on(name, end)
  try {
    // The file is made in the same turn of the event loop as the handlers that remove it. No signal comes in between.
    closeSync(openSync(part, 'wx', there ? (there.mode & 0o777) | 0o200 : 0o666))
    const file = await open(part, 'r+')
    if (there) await file.chmod(there.mode & 0o777)
    const result = await into(file, work, true)
    await rename(part, target)
    await syncDirectory(dirname(target))
    return result
  } catch (error) {
    await rm(part, { force: true })
    throw error
  } finally {
    for (const name of SIGNALS) process.off(name, end)
  }
}

/** Returns whether a file is the data or the log of a store. */
const isOf = (path: string, which: 'data' | 'log') => {
  try {
    return lookAt(path, which)?.look === 'ours'
  } catch {
    return false
  }
}

/** Returns whether a path names a file of a store that is in that folder. */
const isInStore = (path: string) =>
  ['data', 'log', 'lock', 'words'].includes(basename(path)) &&
  (isOf(join(dirname(path), 'data'), 'data') || isOf(join(dirname(path), 'log'), 'log'))

/** Returns whether a file begins like a file of a store. Its name does not matter, because a link may lead to it. */
const isOfStore = (path: string) => isOf(path, 'data') || isOf(path, 'log')

async function into<T>(file: FileHandle, work: (write: Write) => Promise<T>, durable: boolean): Promise<T> {
  try {
    const result = await work(async (bytes) => {
      for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
    })
    if (durable) await file.sync()
    return result
  } finally {
    await file.close()
  }
}

/** Makes a new name in a directory durable. Not every system allows a directory to be opened. */
async function syncDirectory(path: string) {
  const directory = await open(path, 'r').catch(() => undefined)
  try {
    await directory?.sync()
  } catch {
    // Windows cannot sync a directory.
  } finally {
    await directory?.close()
  }
}
