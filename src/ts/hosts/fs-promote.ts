import { closeSync, existsSync, fsyncSync, lstatSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NidusError } from '../errors.js'
import { crc32 } from './crc32.js'
import { lookAt } from './fs-own.js'

/**
 * How a compacted pair becomes current, although two files cannot be renamed at once:
 * a marker names the new pair; a barrier replaces `log`, which native refuses to open; the new data, then the new log are renamed into place; the marker goes.
 * From any middle the next open goes on. Up to the barrier native may still open, and write to, the old pair: then the new one is outdated.
 */
export const NEW_DATA = 'data.compacted'
export const NEW_LOG = 'log.compacted'
export const MARKER = 'compacted'
const BARRIER = 'log.barrier'
const MARKER_DRAFT = 'compacted.draft'
/** Everything that we may leave in the directory besides data, log and lock. Only the lock's holder makes them, and each is removed only if it is what we write. */
const LEFTOVERS = [NEW_DATA, NEW_LOG, BARRIER, MARKER_DRAFT, MARKER]

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
  const file = openSync(path, 'w')
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

/** Step 1, from which on the new pair counts. The files must be written and synced. If this throws, nothing was promoted, as far as `cancel` succeeds. */
export function mark(directory: string) {
  syncDirectory(directory)
  writeDurably(join(directory, MARKER_DRAFT), JSON.stringify({ data: NEW_DATA, log: NEW_LOG, old: identity(directory) }))
  renameSync(join(directory, MARKER_DRAFT), join(directory, MARKER))
  syncDirectory(directory)
}

/** Steps 2 to 4. */
export function swap(directory: string) {
  writeDurably(join(directory, BARRIER), barrier())
  renameSync(join(directory, BARRIER), join(directory, 'log'))
  syncDirectory(directory)
  swapBehindBarrier(directory)
}

function swapBehindBarrier(directory: string) {
  const move = (from: string, to: string) => {
    if (!existsSync(join(directory, from))) return
    renameSync(join(directory, from), join(directory, to))
    // One after the other on the medium, too: the new log must never stand beside the old data.
    syncDirectory(directory)
  }
  move(NEW_DATA, 'data')
  move(NEW_LOG, 'log')
  removeMarker(directory)
}

/** Durably, before anything can be written under the names in it. */
function removeMarker(directory: string) {
  remove(directory, MARKER)
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
function markerIn(directory: string): { old?: string } | undefined {
  try {
    if (!lstatSync(join(directory, MARKER)).isFile()) return undefined
    const marker = JSON.parse(readFileSync(join(directory, MARKER), 'utf8')) as { data?: string; old?: string }
    return marker.data === NEW_DATA ? marker : undefined
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
  try {
    const { size } = lstatSync(path)
    if (name === MARKER) return markerIn(directory) !== undefined
    if (name === MARKER_DRAFT) return size < 1024 && begins(path, Buffer.from(`{"data":"${NEW_DATA}"`))
    if (name === BARRIER) return size <= 13 && begins(path, barrier())
    if (name.startsWith('data')) return lookAt(path, 'data')!.look !== 'foreign'
    const log = lookAt(path, 'log')!.look
    // One that was only begun says nothing by itself; the data that was written along with it does.
    return log === 'ours' || log === 'none' || (log === 'begun' && lookAt(join(directory, name.replace('log', 'data')), 'data')?.look === 'ours')
  } catch {
    return false
  }
}

const there = (directory: string, name: string) => lstatSync(join(directory, name), { throwIfNoEntry: false }) !== undefined

/** Removes what a killed process of ours, or native's, left, and leaves what is somebody else's. */
export function removeLeftovers(directory: string, more: string[] = []) {
  // The logs first: the data beside them tells whose they are.
  const ours = [...LEFTOVERS, ...more].filter((name) => there(directory, name) && isOurs(directory, name))
  for (const name of ours) remove(directory, name)
}

/** Before a pair is written under these names. */
export function makeRoom(directory: string) {
  removeLeftovers(directory)
  const taken = LEFTOVERS.find((name) => there(directory, name))
  if (taken) throw new NidusError('INVALID_ARGUMENT', `${join(directory, taken)} is not this store's, and a compaction or an import needs that name. Nothing was changed: move it away`)
}

const isBarrier = (directory: string) => {
  const path = join(directory, 'log')
  return existsSync(path) && statSync(path).size === 13 && barrier().every((byte, i) => readFileSync(path)[i] === byte)
}

/** Which files hold the store now; with `writable` also finishes, or clears away, what an earlier process left half done. */
export function settle(directory: string, writable: boolean): { data: string; log: string } {
  const has = (name: string) => existsSync(join(directory, name))
  const current = { data: 'data', log: 'log' }
  const marker = markerIn(directory)
  if (marker) {
    // What a killed process had renamed is on the medium before anything is built on it.
    if (writable) syncDirectory(directory)
    if (isBarrier(directory)) {
      if (!has(NEW_LOG)) throw new NidusError('CORRUPT', `${join(directory, NEW_LOG)} is missing, which a half-done compaction needs`)
      if (!writable) return { data: has(NEW_DATA) ? NEW_DATA : 'data', log: NEW_LOG }
      swapBehindBarrier(directory)
    } else if (writable) {
      if (has(NEW_DATA) && has(NEW_LOG) && marker.old === identity(directory)) swap(directory)
      else removeMarker(directory)
    }
  }
  if (writable) removeLeftovers(directory)
  return current
}
