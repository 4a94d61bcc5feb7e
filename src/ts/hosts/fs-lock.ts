import { closeSync, linkSync, openSync, readFileSync, readlinkSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { NidusError } from '../errors.js'

/**
 * Native nidus's `lock` file, both ways. Native writes `pid millis`, calls a lock stale when its mtime is 60 s old, and never renews its own.
 * Ours has a third word, and an mtime ten minutes ahead that is renewed each minute, so that native never takes it.
 */
const AHEAD_S = 600
const RENEW_MS = 60_000

const tryOr = <T, F>(attempt: () => T, otherwise: F): T | F => {
  try {
    return attempt()
  } catch {
    return otherwise
  }
}
const codeOf = (error: unknown) => (error as { code?: string }).code

/** When a process began, in clock ticks since boot: with the pid it names one process for ever. Linux only. */
function startOf(pid: number): string {
  return tryOr(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '?'
  }, '?')
}

/** Where a pid means the same process: this boot of this machine and, in containers, this pid namespace. */
function placeOf(): string {
  // Elsewhere there are no pid namespaces; a reboot leaves no process of the old pid and start.
  if (process.platform !== 'linux') return [hostname(), process.platform].map((part) => encodeURIComponent(part)).join('/')
  const boot = tryOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), '?')
  const namespace = tryOr(() => readlinkSync('/proc/self/ns/pid'), '?')
  return [hostname(), boot, namespace].map((part) => encodeURIComponent(part)).join('/')
}

interface Holder { pid: number; start: string; place: string }

function parse(content: string): Holder | undefined {
  const [pid, , nonce] = content.split(' ')
  const [, start, ...place] = nonce?.split(';') ?? []
  if (!/^\d+$/.test(pid ?? '') || start === undefined) return undefined
  return { pid: Number(pid), start, place: place.join(';') }
}

/** Only where it is certain. A native lock names no machine, and a pid may belong to another container's process. */
function surelyDead({ pid, start, place }: Holder): boolean {
  if (place !== placeOf() || place.includes('%3F')) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'ESRCH'
  }
  const now = startOf(pid)
  return start !== '?' && now !== '?' && now !== start
}

export class FsLock {
  readonly #path: string
  readonly #content: string
  readonly #inode: bigint
  readonly #timer: ReturnType<typeof setInterval>

  /** Throws LOCKED, naming the file, unless the lock is free or its holder is surely dead. */
  static acquire(directory: string): FsLock {
    const path = join(directory, 'lock')
    const random = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')
    const content = `${process.pid} ${Date.now()} ${random};${startOf(process.pid)};${placeOf()}`
    for (let attempt = 0; attempt < 3; attempt++) {
      if (create(path, content, random)) return new FsLock(path, content)
      const found = tryOr(() => readFileSync(path, 'utf8'), undefined)
      if (found === undefined) continue // released in between
      const holder = parse(found)
      if (!holder || !surelyDead(holder)) throw locked(path, found, holder)
      reclaim(path, found, random)
    }
    throw locked(path, tryOr(() => readFileSync(path, 'utf8'), ''), undefined)
  }

  private constructor(path: string, content: string) {
    this.#path = path
    this.#content = content
    this.#inode = statSync(path, { bigint: true }).ino
    this.#renew()
    this.#timer = setInterval(() => this.held() && this.#renew(), RENEW_MS)
    this.#timer.unref?.()
  }

  #renew() {
    const ahead = Date.now() / 1000 + AHEAD_S
    tryOr(() => utimesSync(this.#path, ahead, ahead), undefined)
  }

  held(): boolean {
    return tryOr(() => statSync(this.#path, { bigint: true }).ino === this.#inode && readFileSync(this.#path, 'utf8') === this.#content, false)
  }

  release() {
    clearInterval(this.#timer)
    if (this.held()) tryOr(() => unlinkSync(this.#path), undefined)
  }
}

/** Whole or not at all: a lock whose holder cannot be read could never be reclaimed. */
function create(path: string, content: string, random: string): boolean {
  const draft = `${path}.${random}`
  try {
    writeFileSync(draft, content, { flag: 'wx' })
    linkSync(draft, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    // Some file systems have no hard links.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EMLINK'].includes(codeOf(error) ?? '')) throw error
    return createDirectly(path, content)
  } finally {
    tryOr(() => unlinkSync(draft), undefined)
  }
}

function createDirectly(path: string, content: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx')
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  writeSync(file, content)
  closeSync(file)
  return true
}

/** Renamed away, never removed by name: what lies there may by now be another's new lock. */
function reclaim(path: string, judged: string, random: string) {
  const away = `${path}.stale.${random}`
  try {
    renameSync(path, away)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const taken = tryOr(() => readFileSync(away, 'utf8'), '')
  // Somebody was quicker: give it back. If a third one came in between, the second notices before its next commit.
  if (taken !== judged) tryOr(() => linkSync(away, path), undefined)
  tryOr(() => unlinkSync(away), undefined)
}

function locked(path: string, content: string, holder: Holder | undefined) {
  const who = holder ? `process ${holder.pid}` : /^\d+ \d+$/.test(content) ? `native nidus, process ${content.split(' ')[0]}` : 'an unknown process'
  return new NidusError('LOCKED', `the store is open elsewhere: ${path} is held by ${who}. If you are certain that it runs on no machine, remove that file`)
}
