import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { NidusError } from '../../errors/errors.js'
import { crc32 } from '../../format/crc32.js'
import { isMissing, lookAt } from './ownership.js'

/**
 * The names of the files by which a compacted pair becomes current. Two files cannot be renamed at once, so there are
 * four steps. A marker names the new pair. A barrier, which native refuses to open, replaces `log`. The new data, and
 * then the new log, are renamed into place. The marker is removed. If a process dies between two steps, the next
 * opening goes on. Until the barrier is there, native may still open the old pair and write to it. Then the new pair is
 * outdated.
 */
export interface Names {
  data: string
  log: string
  marker: string
  draft: string
  barrier: string
}
/**
 * Returns a set of names. Only the holder of the lock makes these files, so one set is enough. If a file of another
 * program has one of the names, all of them get a suffix that nobody else has.
 */
const namesOf = (suffix: string): Names => ({
  data: `data.compacted${suffix}`,
  log: `log.compacted${suffix}`,
  marker: `compacted${suffix}`,
  draft: `compacted.draft${suffix}`,
  barrier: `log.barrier${suffix}`,
})
const SUFFIX = /\.[0-9a-f]{24}$/
const suffix = () => `.${randomBytes(12).toString('hex')}`

/**
 * Returns every set of names that files in the directory may have. Besides data, log and lock, this package leaves no
 * files with other names. A file of these names is removed only if it has the content that this package writes.
 */
function namesIn(directory: string): Names[] {
  const all = new Set(
    readdirSync(directory).flatMap((name) =>
      /^(data\.|log\.)?(compacted|barrier)/.test(name) ? (SUFFIX.exec(name) ?? []) : [],
    ),
  )
  return ['', ...all].map(namesOf)
}

/** Returns the bytes of the barrier: one whole frame with an operation that does not exist, and one byte too many. */
function barrier(): Uint8Array {
  const bytes = new Uint8Array(13)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 5, true)
  view.setUint32(4, 0xffffffff, true)
  view.setUint32(9, crc32(bytes.subarray(4, 9)), true)
  return bytes
}

export function syncDirectory(directory: string) {
  let file: number
  try {
    file = openSync(directory, 'r')
  } catch (error) {
    if (process.platform === 'win32') return // Windows cannot open a directory.
    throw error
  }
  try {
    fsyncSync(file)
  } catch (error) {
    if (process.platform !== 'win32') throw error
  } finally {
    closeSync(file)
  }
}

function writeDurably(path: string, bytes: Uint8Array | string) {
  const file = openSync(path, 'wx')
  try {
    writeFileSync(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Returns a text about the old pair. It changes when somebody writes to the pair. */
function identity(directory: string): string {
  return ['data', 'log']
    .map((name) => {
      const { ino, size, mtimeNs } = statSync(join(directory, name), { bigint: true })
      return `${ino} ${size} ${mtimeNs}`
    })
    .join(', ')
}

/**
 * Step 1: writes the marker. From then on the new pair is current. Its files must be written and synced. If this
 * throws, the caller must call `removeMarker`. If that succeeds, nothing was promoted.
 */
export function mark(directory: string, { data, log, draft, marker }: Names) {
  syncDirectory(directory)
  writeDurably(join(directory, draft), JSON.stringify({ data, log, old: identity(directory) }))
  renameSync(join(directory, draft), join(directory, marker))
  syncDirectory(directory)
}

/** Steps 2 to 4: writes the barrier, renames the files and removes the marker. */
export function swap(directory: string, names: Names) {
  if (there(directory, names.barrier) && isOurs(directory, names.barrier)) {
    remove(directory, names.barrier)
    // The process that wrote this barrier may have been killed before the sync. After a crash it must not have the name
    // `log`, so its removal is made durable.
    syncDirectory(directory)
  }
  const name = there(directory, names.barrier) ? namesOf(suffix()).barrier : names.barrier
  writeDurably(join(directory, name), barrier())
  renameSync(join(directory, name), join(directory, 'log'))
  syncDirectory(directory)
  swapBehindBarrier(directory, names)
}

function swapBehindBarrier(directory: string, names: Names) {
  const move = (from: string, to: string) => {
    if (!existsSync(join(directory, from))) return
    renameSync(join(directory, from), join(directory, to))
    // The order must be the same on the medium: the new log must never stand beside the old data.
    syncDirectory(directory)
  }
  move(names.data, 'data')
  move(names.log, 'log')
  removeMarker(directory, names)
}

/** Removes the marker durably. Only then may anything be written under the names in it. */
export function removeMarker(directory: string, { marker }: Names) {
  remove(directory, marker)
  syncDirectory(directory)
}

export function remove(directory: string, name: string) {
  try {
    unlinkSync(join(directory, name))
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/**
 * Returns the content of the marker, if there is one. A marker is always whole, because it was synced before it got its
 * name. Any other file of that name belongs to another program.
 */
function markerIn(directory: string, { marker, data }: Names): { old?: string } | undefined {
  try {
    if (!lstatSync(join(directory, marker)).isFile()) return undefined
    const found = JSON.parse(readFileSync(join(directory, marker), 'utf8')) as { data?: string; old?: string }
    return found.data === data ? found : undefined
  } catch {
    return undefined
  }
}

/** Returns whether a file holds a part of these bytes. Bytes that were not written yet are zeros. */
function begins(path: string, whole: Uint8Array): boolean {
  const found = readFileSync(path)
  return found.every((byte, i) => byte === 0 || byte === (whole[i] ?? byte))
}

function isOurs(directory: string, name: string): boolean {
  const path = join(directory, name)
  const names = namesOf(SUFFIX.exec(name)?.[0] ?? '')
  try {
    const found = lstatSync(path)
    if (!found.isFile()) return false
    if (name === names.marker) return markerIn(directory, names) !== undefined
    if (name === names.draft) return found.size < 1024 && begins(path, Buffer.from(`{"data":"${names.data}"`))
    if (name === names.barrier) return found.size <= 13 && begins(path, barrier())
    if (name.startsWith('data')) return lookAt(path, 'data')!.look !== 'foreign'
    const log = lookAt(path, 'log')!.look
    // A log that was only begun does not show whose it is. The data that was written with it does.
    return (
      log === 'ours' ||
      log === 'none' ||
      (log === 'begun' && lookAt(join(directory, name.replace('log', 'data')), 'data')?.look === 'ours')
    )
  } catch {
    return false
  }
}

const there = (directory: string, name: string) =>
  lstatSync(join(directory, name), { throwIfNoEntry: false }) !== undefined

/** Removes the files that a killed process of this package or of native left. Files of other programs stay. */
export function removeLeftovers(directory: string, more: string[] = []) {
  // All files are judged before the first is removed: the data may be needed to tell whose the log is.
  const all = namesIn(directory).flatMap(({ data, log, barrier, draft, marker }) => [data, log, barrier, draft, marker])
  const ours = [...all, ...more].filter((name) => there(directory, name) && isOurs(directory, name))
  // Logs go first: one that is left alone may not show whose it is.
  const isLog = (name: string) => Number(name.startsWith('log'))
  for (const name of ours.sort((a, b) => isLog(b) - isLog(a))) remove(directory, name)
}

/** Returns names under which a new pair can be written, because no file has them. */
export function makeRoom(directory: string): Names {
  removeLeftovers(directory)
  const names = namesOf('')
  return Object.values(names).some((name) => there(directory, name as string)) ? namesOf(suffix()) : names
}

const isBarrier = (directory: string) => {
  const path = join(directory, 'log')
  return existsSync(path) && statSync(path).size === 13 && barrier().every((byte, i) => readFileSync(path)[i] === byte)
}

/**
 * Returns the names of the files that hold the store now. With `writable`, also finishes or removes the compaction that
 * an earlier process left half done.
 */
export function settle(directory: string, writable: boolean): { data: string; log: string } {
  const has = (name: string) => existsSync(join(directory, name))
  const marked = namesIn(directory).filter((names) => markerIn(directory, names))
  // A killed process may have renamed files. That must be on the medium before the next step relies on it.
  if (writable && marked.length > 0) syncDirectory(directory)
  if (marked.length > 0 && isBarrier(directory)) {
    const names = marked.find(({ log }) => has(log))
    if (!names)
      throw new NidusError(
        'CORRUPT',
        `${join(directory, marked[0].log)} is missing. Without it, the compaction that was interrupted cannot be ` +
          'finished',
      )
    if (!writable) return { data: has(names.data) ? names.data : 'data', log: names.log }
    swapBehindBarrier(directory, names)
  } else if (writable) {
    for (const names of marked) {
      if (has(names.data) && has(names.log) && markerIn(directory, names)?.old === identity(directory))
        swap(directory, names)
      else removeMarker(directory, names)
    }
  }
  if (writable) removeLeftovers(directory)
  return { data: 'data', log: 'log' }
}
