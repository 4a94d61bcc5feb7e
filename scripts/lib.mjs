// Common functions of the scripts: paths, timed steps, child processes, hashes, one lock. They use only Node's own
// modules, because they run before `npm ci`.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const at = (...parts) => join(root, ...parts)
/**
 * Returns a path in the folder of built tools and downloads. All checkouts of this user share it, so that a new one
 * starts fast.
 */
export const cache = (...parts) => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nidus-wasm', ...parts)

export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`
export const say = (text) => process.stdout.write(`${text}\n`)

/** An error whose message is all that the user needs. The scripts print it without a stack. */
export class Trouble extends Error {}

/** Returns the text between the marks `<!-- name:begin -->` and `<!-- name:end -->` of a Markdown file. */
export function between(path, name) {
  const [begin, end] = ['begin', 'end'].map((which) => `<!-- ${name}:${which} -->`)
  const text = readFileSync(path, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Trouble(`${path} has no ${begin} ... ${end}`)
  return text.slice(from + begin.length, to)
}

/** Replaces the text between the marks `<!-- name:begin -->` and `<!-- name:end -->` of a Markdown file. */
export function writeBetween(path, name, text) {
  const mark = `<!-- ${name}:begin -->`
  const before = readFileSync(path, 'utf8')
  const from = before.indexOf(mark) + mark.length
  const to = from + between(path, name).length
  writeFile(path, `${before.slice(0, from)}${text}${before.slice(to)}`)
}

/** Does some work. Prints its name before it, and the time that it took after it. */
export async function step(name, work) {
  const start = performance.now()
  say(`· ${name} ...`)
  const result = await work()
  say(`· ${name}: ${seconds(start)}`)
  return result
}

/**
 * Runs a program. `quiet` holds its output back and prints it only on failure, so that set-up steps can run at the same
 * time. Resolves to { code, output }. Rejects if the code is not 0, unless `mayFail` is set.
 */
export function run(command, args, { cwd = root, env = {}, quiet = false, mayFail = false, timeout = 0 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    })
    let output = ''
    let late = false
    child.stdout?.on('data', (bytes) => (output += bytes))
    child.stderr?.on('data', (bytes) => (output += bytes))
    const timer = timeout && setTimeout(() => ((late = true), child.kill('SIGKILL')), timeout)
    child.on('error', (cause) => {
      clearTimeout(timer)
      if (mayFail) resolve({ code: 127, output: String(cause) })
      else reject(new Trouble(`${command} could not be started: ${cause.message}`))
    })
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      const code = status ?? 1
      if (code === 0 || mayFail) return resolve({ code, output })
      const how = late
        ? `took longer than ${timeout / 1000} s`
        : signal
          ? `was ended by ${signal}`
          : `ended with ${code}`
      const shown = output.trim().split('\n').slice(-60).join('\n')
      reject(new Trouble(`${shown}${shown && '\n'}\`${[command, ...args].join(' ')}\` ${how}`))
    })
  })
}

/** Returns what a program prints, or undefined if the program is missing or fails. */
export async function ask(command, ...args) {
  const { code, output } = await run(command, args, { quiet: true, mayFail: true, timeout: 20_000 })
  return code === 0 ? output.trim() : undefined
}

/** Returns the path of a program, found as a shell would find it. */
export function which(name, more = []) {
  const exe = process.platform === 'win32' ? `${name}.exe` : name
  return [...(process.env.PATH ?? '').split(delimiter), ...more]
    .map((dir) => join(dir, exe))
    .find((path) => existsSync(path))
}

export const sha = (...parts) =>
  parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex')
export const readJson = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined)

/** Returns the relative paths of all files under a directory that pass the test, sorted. */
export function filesUnder(dir, wanted = () => true) {
  if (!existsSync(dir)) return []
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(dir, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    )
    .filter(wanted)
    .sort()
}
/** Returns one hash of the names and the contents of files. */
export const hashFiles = (dir, names) => sha(...names.flatMap((name) => [name, readFileSync(join(dir, name))]))

/**
 * Writes a file under another name and renames it, so that a reader sees either the old file or the new one. Does
 * nothing if the file has these contents already.
 */
export function writeFile(path, bytes) {
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(bytes))) return false
  mkdirSync(dirname(path), { recursive: true })
  const beside = `${path}.${process.pid}.tmp`
  writeFileSync(beside, bytes)
  renameSync(beside, path)
  return true
}

/**
 * Does the work while no other process holds the lock `dir`, and waits for it. The lock is a directory with the pid of
 * its holder. If the holder is dead, the lock is removed.
 */
export async function locked(dir, work) {
  mkdirSync(dirname(dir), { recursive: true })
  const owner = join(dir, 'pid')
  for (let told = false; ;) {
    try {
      mkdirSync(dir)
      break
    } catch (cause) {
      if (cause.code !== 'EEXIST') throw cause
    }
    if (!alive(owner, dir)) {
      rmSync(dir, { recursive: true, force: true })
      continue
    }
    if (!told) say(`· waiting for the other process that works in ${relative(root, dir)}`)
    told = true
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  writeFileSync(owner, String(process.pid))
  // The lock is also released if the work ends the process. If it were left, the next run would see that its holder is
  // dead.
  const release = () => rmSync(dir, { recursive: true, force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

function alive(owner, dir) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')) || 1 << 30, 0)
    return true
  } catch (cause) {
    // There is no pid in the lock yet. Its holder is about to write it, or died before it did.
    if (cause.code === 'ENOENT') return Date.now() - (statSync(dir, { throwIfNoEntry: false })?.mtimeMs ?? 0) < 5_000
    return cause.code === 'EPERM'
  }
}

/** Runs the main function of a script. Prints only the message of a Trouble, and any other error with its stack. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0
  } catch (error) {
    process.stderr.write(`\n${error instanceof Trouble ? error.message : error?.stack}\n`)
    process.exitCode = 1
  }
}
export const isMain = (url) => process.argv[1] && fileURLToPath(url) === process.argv[1]
