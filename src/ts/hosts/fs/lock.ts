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
 * Native nidus's `lock` file, both ways. Native writes `pid millis`, calls a lock stale when its mtime is 60 s old, and
 * never renews its own. Ours has a third word, and an mtime ten minutes ahead that is renewed each minute, so that
 * native never takes it.
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

/**
 * A process's state, when it began (clock ticks since boot: with the pid it names one process for ever), and how many
 * threads it has. Linux only.
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
 * Where a pid means the same process, and its start the same moment: this boot of this machine and, in containers,
 * these namespaces.
 */
function placeOf(): string {
  // Deno tells the host's name, and lets /proc be read, only to whoever may; on Linux the boot says what machine it is.
  const host = tryOr(hostname, process.platform === 'linux' ? '' : '?')
  // Elsewhere there are no pid namespaces; a reboot leaves no process of the old pid and start.
  if (process.platform !== 'linux') return [host, process.platform].map((part) => encodeURIComponent(part)).join('/')
  const boot = tryOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), '?')
  const namespace = tryOr(() => readlinkSync('/proc/self/ns/pid'), '?')
  const time = tryOr(() => readlinkSync('/proc/self/ns/time'), 'none')
  // Last, so that the place of a machine before it was started anew differs from its place now in the second part
  // alone.
  const machine = tryOr(() => readFileSync('/etc/machine-id', 'latin1').trim(), '')
  return [host, boot, namespace, time, machine].map((part) => encodeURIComponent(part)).join('/')
}

/**
 * No process outlives its machine's boot. Names can be given twice (containers of one image), but whoever still had
 * this lock would have renewed it.
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

/** The thread that this is, if it may end before its process does: its number in /proc, and when it began. */
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
/** Stands for the pid in a lock that was let go where its file could not be removed. */
const NOBODY = '0'

function parse(content: string): Holder | undefined {
  const [pid, , ours] = content.split(' ')
  const [nonce = '', start, place = '', thread] = ours?.split(';') ?? []
  if (!/^\d+$/.test(pid ?? '') || !/^[0-9a-f]{24}$/.test(nonce) || start === undefined) return undefined
  return { pid: Number(pid), nonce, start, place, thread }
}

/** Only where it is certain. A native lock names no machine, and a pid may belong to another container's process. */
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
  // One that ended and was not waited for is dead once its last thread is.
  if (now.start !== start || (/^[ZX]$/.test(now.state) && now.threads === '1')) return true
  // A thread that was ended leaves its process, and its lock.
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
  /** The file itself, wherever its folder is moved to. */
  readonly #file: number
  readonly #timer: ReturnType<typeof setInterval>

  /** Throws LOCKED, naming the file, unless the lock is free or its holder is surely dead. */
  static acquire(directory: string): FsLock {
    const path = join(directory, 'lock')
    const thread = threadOf()
    const random = randomBytes(12).toString('hex')
    const content = `${process.pid} ${Date.now()} ${random};${statOf(process.pid).start};${placeOf()}${thread ? `;${thread}` : ''}`
    take(path, path, content, random)
    try {
      removeLeftovers(directory)
      return new FsLock(path, content)
    } catch (error) {
      tryOr(() => unlinkSync(path), undefined)
      throw error
    }
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
    if (!here) tryOr(() => this.#letGo(), undefined)
    closeSync(this.#file)
    if (here) tryOr(() => unlinkSync(this.#path), undefined)
  }

  /**
   * Its folder was moved: what is in the file says then that nobody has it, to us and, by its age, to native. One that
   * somebody else wrote stays.
   */
  #letGo() {
    if (readFileSync(this.#file, 'utf8') !== this.#content) return
    const [, millis, ours] = this.#content.split(' ')
    const free = `${NOBODY} ${millis} ${ours}`
    ftruncateSync(this.#file, 0)
    writeSync(this.#file, free, 0)
    futimesSync(this.#file, 0, 0)
  }
}

/** Undefined: it is not there, or no file. A named pipe would never answer. */
const read = (path: string) =>
  tryOr(() => (statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined), undefined)

/** Makes the file `path`, or throws LOCKED. What a dead holder left is taken away first. */
function take(path: string, lock: string, content: string, random: string) {
  // Each turn after the first, somebody else got something done.
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

/** Whole or not at all: a lock whose holder cannot be read could never be reclaimed. */
function create(path: string, lock: string, content: string, random: string): boolean {
  const draft = `${lock}.new.${random}`
  try {
    writeFileSync(draft, content, { flag: 'wx' })
    linkSync(draft, path)
    return true
  } catch (error) {
    // ENOENT: whoever has the lock took the draft for a leftover.
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
 * Takes a dead holder's file away. Among those who judged the same file only one may do so at a time, the one that has
 * the lock named after that holder: whoever comes later finds another file there and leaves it alone. So a living
 * holder's lock is never touched, not even for a moment. If the one that has it dies in here, its own file is reclaimed
 * in the same way.
 */
function reclaim(path: string, lock: string, judged: string, dead: Holder, content: string, random: string) {
  const right = `${lock}.heir.${dead.nonce}`
  take(right, lock, content, random)
  try {
    if (read(path) !== judged) return
    // Native knows nothing of this; its own reclaiming must not come in between.
    setAhead(path)
    const away = `${lock}.stale.${random}`
    renameSync(path, away)
    // It did. If a third one came in between, native's is lost, as it is when native reclaims from native.
    if (read(away) !== judged) tryOr(() => linkSync(away, path), undefined)
    unlinkSync(away)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  } finally {
    tryOr(() => unlinkSync(right), undefined)
  }
}

/**
 * What others left beside the lock when they were killed. Only the holder may call this: for drafts of the living it is
 * too late, they try again.
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

const isExpired = (path: string) => tryOr(() => statSync(path).mtimeMs < Date.now(), false)

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
    : /^\d+ \d+$/.test(content)
      ? `native nidus, process ${content.split(' ')[0]}`
      : 'an unknown process'
  return new NidusError(
    'LOCKED',
    `the store is open elsewhere: ${path} is held by ${who}. If you are certain that it runs on no machine, remove that file`,
  )
}
