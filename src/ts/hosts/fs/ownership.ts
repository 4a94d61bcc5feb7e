import { closeSync, fstatSync, lstatSync, openSync, readSync, statSync, type Stats } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid, NidusError } from '../../errors/errors.js'
import {
  HEADER,
  foreignError,
  foreignOf,
  headOfLog,
  lookAtData,
  lookAtLog,
  missingError,
  missingOf,
  type Seen,
  type Which,
} from '../../format/ownership.js'
import type { SyncAccessHandle } from '../../types/index.js'

/** Returns the path of a store's directory from a path, or from a `file:` URL. */
export function directoryOf(name: string): string {
  if (name.includes('\0')) throw invalid(`"${name.replaceAll('\0', '\\0')}" has a zero in it, which no path can have`)
  if (!/^file:\//i.test(name)) {
    // An address would become a folder named `https:`. A single letter is allowed: it is a drive.
    if (/^[a-z][a-z\d+.-]+:\/\//i.test(name))
      throw invalid(
        `"${name}" is an address, but a store on disk has a path. Nidus.fromStatic opens the files of a server`,
      )
    return resolve(name)
  }
  try {
    const path = fileURLToPath(name)
    if (!path.includes('\0')) return path
    throw new Error('it has a zero in it')
  } catch (error) {
    throw invalid(`"${name}" is no path on this machine: ${(error as Error).message}`, error)
  }
}

const NOWHERE = 'a link that leads nowhere'

/** Returns the facts about what a path leads to. Only a link can lead nowhere: anything else may just be removed. */
function followed(path: string): Stats | typeof NOWHERE | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.isSymbolicLink() ? (statSync(path, { throwIfNoEntry: false }) ?? NOWHERE) : found
}

/**
 * Returns the facts about a plain file, or undefined if there is nothing. Refuses anything else, and a link that leads
 * nowhere. A named pipe would never answer.
 */
export function plain(path: string): Stats | undefined {
  const found = followed(path)
  if (found === undefined || (found !== NOWHERE && found.isFile())) return found
  const what = found === NOWHERE ? NOWHERE : found.isDirectory() ? 'a folder' : 'no plain file'
  throw new NidusError(
    'INVALID_ARGUMENT',
    `${path} is ${what}, but a store needs a file of that name. Nothing was changed: use another name, or move it away`,
  )
}

/** Refuses anything but a folder, because a store is a folder. Also refuses a link that leads nowhere. */
export function refuseNoFolder(directory: string) {
  const found = followed(directory)
  if (found === undefined || (found !== NOWHERE && found.isDirectory())) return
  throw invalid(
    `${directory} is ` +
      `${found === NOWHERE ? NOWHERE : 'no folder, but a store is a folder with data and log'}. Nothing was changed`,
  )
}

/** Looks at the beginning of a file. Returns undefined if there is none. */
export function lookAt(path: string, which: Which): Seen | undefined {
  if (!plain(path)) return undefined
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (isMissing(error)) return undefined // removed in between
    throw error
  }
  try {
    const { size } = fstatSync(file)
    const first = (length: number) => {
      const bytes = new Uint8Array(length)
      return bytes.subarray(0, readSync(file, bytes, 0, length, 0))
    }
    const start = first(Math.min(size, HEADER))
    return which === 'data' ? lookAtData(start, size) : lookAtLog(first(headOfLog(start, size)), size)
  } finally {
    closeSync(file)
  }
}

export const isMissing = (error: unknown) => (error as { code?: string }).code === 'ENOENT'

export type Pair = { [W in Which]: Seen | undefined }

export const pairIn = (directory: string): Pair => ({
  data: lookAt(join(directory, 'data'), 'data'),
  log: lookAt(join(directory, 'log'), 'log'),
})

/** Refuses files of another program, and names them. */
export function refuseForeign(directory: string, { data, log }: Pair, code?: 'INVALID_ARGUMENT') {
  const foreign = foreignOf(data, log)
  if (foreign) throw foreignError(join(directory, foreign), foreign, code)
}

/** Refuses a store in which a file is missing. Rows or operations in the other file show that the file existed. */
export function refuseMissing(directory: string, { data, log }: Pair) {
  const missing = missingOf(data?.size, log?.size)
  if (missing) throw missingError(join(directory, missing), missing, (data ?? log)!.size)
}

/** Returns an empty handle in place of a missing file, so that the other file can be read. */
export const absent = (): SyncAccessHandle & { absent: true } => {
  const refuse = (): never => {
    throw new NidusError('READ_ONLY', 'the file is missing')
  }
  return { absent: true, read: () => 0, write: refuse, truncate: refuse, flush() {}, getSize: () => 0, close() {} }
}
