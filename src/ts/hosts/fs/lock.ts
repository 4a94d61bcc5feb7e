import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { NidusError } from '../../errors/errors.js'

/**
 * The `lock` file keeps out native nidus, and native's lock keeps out this package. Native writes `pid millis`. It
 * takes a lock whose mtime is 60 s old, and never renews its own. A lock of this package has a third word. Its mtime is
 * ten minutes ahead and is renewed each minute, so that native never takes it.
 */
const AHEAD_S = 600
const NATIVE_MS = 60_000
const RENEW_MS = 60_000

const tryOr = <T, F>(attempt: () => T, otherwise: F): T | F => {
  try {
    return attempt()
  } catch {
    return otherwise
  }
}
const codeOf = (error: unknown) => (error as { code?: string }).code

/**
 * Returns the state of a process or thread, its start, and its number of threads. The start is in clock ticks since
 * boot. Pid and start together never name another process. Linux only: elsewhere all three are "?".
 */
function statOf(pid: number | string): { state: string; start: string; threads: string } {
  return tryOr(
    () => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return { state: fields[0] ?? '?', start: fields[19] ?? '?', threads: fields[17] ?? '?' }
    },
    { state: '?', start: '?', threads: '?' },
  )
}

/**
 * Returns a text that names this boot of this machine and, in containers, the namespaces. In one place a pid always
 * means the same process, and a start the same moment.
 */
function placeOf(): string {
  // In Deno the host's name and /proc need permissions. On Linux the boot id tells one machine from another.
  const host = tryOr(hostname, process.platform === 'linux' ? '' : '?')
  // Other systems have no pid namespaces. After a reboot no process has the old pid and start.
  if (process.platform !== 'linux') return [host, process.platform].map((part) => encodeURIComponent(part)).join('/')
  const boot = tryOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), '?')
  const namespace = tryOr(() => readlinkSync('/proc/self/ns/pid'), '?')
  const time = tryOr(() => readlinkSync('/proc/self/ns/time'), 'none')
  // The machine comes last. If the same machine was started again, its earlier place differs in the second part alone.
  const machine = tryOr(() => readFileSync('/etc/machine-id', 'latin1').trim(), '')
  return [host, boot, namespace, time, machine].map((part) => encodeURIComponent(part)).join('/')
}

/**
 * Returns whether the lock was made in an earlier boot of this machine. Its holder is dead then. Two machines can have
 * the same names (containers of one image). So the lock must have expired, too: a living holder would have renewed it.
 */
function isOfEarlierBoot(place: string, expired: boolean): boolean {
  const [host, boot, , , machine] = place.split('/')
  const [hostNow, bootNow, , , machineNow] = placeOf().split('/')
  return (
    expired &&
    !!host &&
    !!machine &&
    host === hostNow &&
    machine === machineNow &&
    boot !== '%3F' &&
    bootNow !== '%3F' &&
    boot !== bootNow
  )
}

/** Returns this thread's number in /proc and its start, if it is a worker, which may end before its process does. */
function threadOf(): string | undefined {
  const [pid, , thread] = tryOr(() => readlinkSync('/proc/thread-self'), '').split('/')
  return thread === undefined || thread === pid ? undefined : `${thread}.${statOf(`${pid}/task/${thread}`).start}`
}

interface Holder {
  pid: number
  nonce: string
  start: string
  place: string
  thread: string | undefined
}
/** The pid in a lock that was released although its file could not be removed. */
const NOBODY = '0'

function parse(content: string): Holder | undefined {
  const [pid, , ours] = content.split(' ')
  const [nonce = '', start, place = '', thread] = ours?.split(';') ?? []
  if (!/^\d+$/.test(pid ?? '') || !/^[0-9a-f]{24}$/.test(nonce) || start === undefined) return undefined
  return { pid: Number(pid), nonce, start, place, thread }
}

/**
 * Returns whether the holder is certainly dead. A native lock names no machine, and a pid may belong to a process of
 * another container, so only a holder of the same place can be judged.
 */
function surelyDead({ pid, start, place, thread }: Holder, expired: boolean): boolean {
  if (pid === 0) return true
  if (isOfEarlierBoot(place, expired)) return true
  if (place !== placeOf() || place.includes('%3F')) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'ESRCH'
  }
  const now = statOf(pid)
  if (start === '?' || now.start === '?') return false
  // A process that ended, and that its parent has not waited for, is dead once its last thread has ended.
  if (now.start !== start || (/^[ZX]$/.test(now.state) && now.threads === '1')) return true
  // A worker that was terminated leaves its lock behind, while its process goes on.
  const [number, began] = thread?.split('.') ?? []
  return (
    began !== undefined &&
    began !== '?' &&
    existsSync(`/proc/${pid}/task`) &&
    statOf(`${pid}/task/${number}`).start !== began
  )
}

export class FsLock {
  readonly #path: string
  readonly #content: string
  readonly #inode: bigint
  /** The descriptor of the lock file. It stays the same file if its folder is moved. */
  readonly #file: number
  readonly #timer: ReturnType<typeof setInterval>

  /** Throws LOCKED, naming the file, unless the lock is free or its holder is surely dead. */
  static acquire(directory: string): FsLock {
    const path = join(directory, 'lock')
    const thread = threadOf()
    const random = randomBytes(12).toString('hex')
    const content =
      `${process.pid} ${Date.now()} ` +
      `${random};${statOf(process.pid).start};${placeOf()}${thread ? `;${thread}` : ''}`
    take(path, path, content, random)
    try {
      removeLeftovers(directory)
      return new FsLock(path, content)
    } catch (error) {
      tryOr(() => unlinkSync(path), undefined)
      throw error
    }
  }

  /** Returns the error LOCKED if a living process holds the lock. A file that is no lock tells nothing. */
  static lockedBy(directory: string): NidusError | undefined {
    const path = join(directory, 'lock')
    const found = read(path)
    const holder = found === undefined ? undefined : parse(found)
    const isHeld = holder ? !surelyDead(holder, isExpired(path)) : isNatives(found ?? '') && !isExpired(path, NATIVE_MS)
    return isHeld ? locked(path, found!, holder) : undefined
  }

  static refuseIfHeld(directory: string) {
    const error = FsLock.lockedBy(directory)
    if (error) throw error
  }

  private constructor(path: string, content: string) {
    this.#path = path
    this.#content = content
    this.#file = openSync(path, 'r+')
    this.#inode = fstatSync(this.#file, { bigint: true }).ino
    this.#renew()
    this.#timer = setInterval(() => this.held() && this.#renew(), RENEW_MS)
    this.#timer.unref?.()
  }

  #renew() {
    setAhead(this.#path)
  }

  held(): boolean {
    return tryOr(
      () =>
        statSync(this.#path, { bigint: true }).ino === this.#inode &&
        readFileSync(this.#path, 'utf8') === this.#content,
      false,
    )
  }

  release() {
    clearInterval(this.#timer)
    const here = this.held()
    if (!here) tryOr(() => this.#markFree(), undefined)
    closeSync(this.#file)
    if (here) tryOr(() => unlinkSync(this.#path), undefined)
  }

  /**
   * Marks the lock as free in the file itself, because its folder was moved. The pid 0 says so to this package, and the
   * old mtime to native. A lock that somebody else wrote stays as it is.
   */
  #markFree() {
    if (readFileSync(this.#file, 'utf8') !== this.#content) return
    const [, millis, ours] = this.#content.split(' ')
    const free = `${NOBODY} ${millis} ${ours}`
    ftruncateSync(this.#file, 0)
    writeSync(this.#file, free, 0)
    futimesSync(this.#file, 0, 0)
  }
}

/** Returns the text of a file, or undefined if there is no plain file. A named pipe would never answer. */
const read = (path: string) =>
  tryOr(() => (statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined), undefined)

/** Makes the lock file `path`, or throws LOCKED. Removes the file of a dead holder first. */
function take(path: string, lock: string, content: string, random: string) {
  // Each further attempt means that another process made progress meanwhile.
  for (let attempt = 0; attempt < 10; attempt++) {
    if (create(path, lock, content, random)) return
    const found = read(path)
    if (found === undefined) continue // released in between
    const holder = parse(found)
    if (!holder || !surelyDead(holder, isExpired(path))) throw locked(path, found, holder)
    reclaim(path, lock, found, holder, content, random)
  }
  throw locked(path, read(path) ?? '', undefined)
}

/**
 * Makes a lock file, whole or not at all. A lock whose holder cannot be read could never be reclaimed. Returns false if
 * another process was faster.
 */
function create(path: string, lock: string, content: string, random: string): boolean {
  const draft = `${lock}.new.${random}`
  try {
    writeFileSync(draft, content, { flag: 'wx' })
    linkSync(draft, path)
    return true
  } catch (error) {
    // ENOENT: the holder of the lock took the draft for a leftover and removed it.
    if (['EEXIST', 'ENOENT'].includes(codeOf(error) ?? '') && existsSync(dirname(lock))) return false
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

/**
 * Removes the lock file of a dead holder. Several processes may judge the same file at once, but only one may remove
 * it: the one that has a second lock, which is named after the dead holder. A process that comes later finds a new lock
 * file and leaves it alone. So the lock of a living holder is never touched, not even for a moment. If the process with
 * the second lock dies in here, that lock is reclaimed in the same way.
 */
function reclaim(path: string, lock: string, judged: string, dead: Holder, content: string, random: string) {
  const heir = `${lock}.heir.${dead.nonce}`
  take(heir, lock, content, random)
  try {
    if (read(path) !== judged) return
    // Native does not know the second lock. A new mtime prevents native from reclaiming the file at the same time.
    setAhead(path)
    const away = `${lock}.stale.${random}`
    renameSync(path, away)
    // Native reclaimed it all the same, so its lock is put back. If a third process took the lock meanwhile, native's
    // is lost. That can also happen when native reclaims from native.
    if (read(away) !== judged) tryOr(() => linkSync(away, path), undefined)
    unlinkSync(away)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  } finally {
    tryOr(() => unlinkSync(heir), undefined)
  }
}

/**
 * Removes the files that killed processes left beside the lock. Only the holder may call this. A draft of a living
 * process may go, too: the lock is taken, and that process tries again.
 */
function removeLeftovers(directory: string) {
  for (const name of readdirSync(directory)) {
    if (!/^lock\.(new|heir|stale)\.[0-9a-f]{24}$/.test(name)) continue
    const path = join(directory, name)
    const content = read(path)
    const holder = content === undefined ? undefined : parse(content)
    if (holder ? surelyDead(holder, isExpired(path)) : name.startsWith('lock.new.'))
      tryOr(() => unlinkSync(path), undefined)
  }
}

const isExpired = (path: string, after = 0) => tryOr(() => statSync(path).mtimeMs + after < Date.now(), false)

const isNatives = (content: string) => /^\d+ \d+$/.test(content)

function setAhead(path: string) {
  const ahead = Date.now() / 1000 + AHEAD_S
  tryOr(() => utimesSync(path, ahead, ahead), undefined)
}

function locked(path: string, content: string, holder: Holder | undefined) {
  if (holder?.pid === process.pid && holder.place === placeOf())
    return new NidusError(
      'LOCKED',
      `this process has the store open already (${path}): close it first, or use the one that is open`,
    )
  const who = holder
    ? `process ${holder.pid}`
    : isNatives(content)
      ? `native nidus, process ${content.split(' ')[0]}`
      : 'an unknown process'
  return new NidusError(
    'LOCKED',
    `the store is open elsewhere: ${path} is held by ${who}. If you are certain that this process runs on no ` +
      'machine, remove that file',
  )
}
