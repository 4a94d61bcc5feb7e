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
import { lookAt } from './ownership.js'

/**
 * How a compacted pair becomes current, although two files cannot be renamed at once:
 * a marker names the new pair; a barrier replaces `log`, which native refuses to open; the new data, then the new log
 * are renamed into place; the marker goes. From any middle the next open goes on. Up to the barrier native may still
 * open, and write to, the old pair: then the new one is outdated.
 */
export interface Names {
  data: string
  log: string
  marker: string
  draft: string
  barrier: string
}
/**
 * Only the lock's holder makes them, so one set of names does. Where another program's file has one of them, all get a
 * suffix that nobody else has.
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
 * Every set of names of which something may be there. Everything that we may leave besides data, log and lock is among
 * them, and is removed only if it is what we write.
 */
function namesIn(directory: string): Names[] {
  const all = new Set(
    readdirSync(directory).flatMap((name) =>
      /^(data\.|log\.)?(compacted|barrier)/.test(name) ? (SUFFIX.exec(name) ?? []) : [],
    ),
  )
  return ['', ...all].map(namesOf)
}

/** One whole frame with an operation that does not exist and a byte too many. */
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
    if (process.platform === 'win32') return // has no such thing
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

/** Tells whether somebody wrote to the old pair since. */
function identity(directory: string): string {
  return ['data', 'log']
    .map((name) => {
      const { ino, size, mtimeNs } = statSync(join(directory, name), { bigint: true })
      return `${ino} ${size} ${mtimeNs}`
    })
    .join(', ')
}

/**
 * Step 1, from which on the new pair counts. The files must be written and synced. If this throws, nothing was
 * promoted, as far as `cancel` succeeds.
 */
export function mark(directory: string, { data, log, draft, marker }: Names) {
  syncDirectory(directory)
  writeDurably(join(directory, draft), JSON.stringify({ data, log, old: identity(directory) }))
  renameSync(join(directory, draft), join(directory, marker))
  syncDirectory(directory)
}

/** Steps 2 to 4. */
export function swap(directory: string, names: Names) {
  if (there(directory, names.barrier) && isOurs(directory, names.barrier)) {
    remove(directory, names.barrier)
    // A killed process may not have synced that one: a crash must not give its file the name `log`.
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
    // One after the other on the medium, too: the new log must never stand beside the old data.
    syncDirectory(directory)
  }
  move(names.data, 'data')
  move(names.log, 'log')
  removeMarker(directory, names)
}

/** Durably, before anything can be written under the names in it. */
export function removeMarker(directory: string, { marker }: Names) {
  remove(directory, marker)
  syncDirectory(directory)
}

export function remove(directory: string, name: string) {
  try {
    unlinkSync(join(directory, name))
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
  }
}

/** A whole marker: it was synced before it got its name. Anything else of that name is somebody's file. */
function markerIn(directory: string, { marker, data }: Names): { old?: string } | undefined {
  try {
    if (!lstatSync(join(directory, marker)).isFile()) return undefined
    const found = JSON.parse(readFileSync(join(directory, marker), 'utf8')) as { data?: string; old?: string }
    return found.data === data ? found : undefined
  } catch {
    return undefined
  }
}

/** What was written so far of what we write there; what was not is zeros. */
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
    // One that was only begun says nothing by itself; the data that was written along with it does.
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

/** Removes what a killed process of ours, or native's, left, and leaves what is somebody else's. */
export function removeLeftovers(directory: string, more: string[] = []) {
  // The logs first: the data beside them tells whose they are.
  const all = namesIn(directory).flatMap(({ data, log, barrier, draft, marker }) => [data, log, barrier, draft, marker])
  const ours = [...all, ...more].filter((name) => there(directory, name) && isOurs(directory, name))
  for (const name of ours) remove(directory, name)
}

/** Names under which a pair can be written: nothing is there. */
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
 * Which files hold the store now; with `writable` also finishes, or clears away, what an earlier process left half
 * done.
 */
export function settle(directory: string, writable: boolean): { data: string; log: string } {
  const has = (name: string) => existsSync(join(directory, name))
  const marked = namesIn(directory).filter((names) => markerIn(directory, names))
  // What a killed process had renamed is on the medium before anything is built on it.
  if (writable && marked.length > 0) syncDirectory(directory)
  if (marked.length > 0 && isBarrier(directory)) {
    const names = marked.find(({ log }) => has(log))
    if (!names)
      throw new NidusError(
        'CORRUPT',
        `${join(directory, marked[0].log)} is missing, which a half-done compaction needs`,
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
