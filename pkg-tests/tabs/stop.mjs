// Finds the process that runs a page of a browser, and stops it from outside. Linux only.
import { readFileSync, readdirSync } from 'node:fs'

const read = (pid, what) => {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8')
  } catch {
    return undefined
  }
}
/**
 * Returns the fields of /proc/PID/stat after the program's name: state, parent, and so on. The name may contain any
 * character, so it is cut off first.
 */
const stat = (pid) =>
  read(pid, 'stat')
    ?.replace(/^.*\) /s, '')
    .split(' ')
const ticks = (pid) => {
  const fields = stat(pid)
  return fields ? Number(fields[11]) + Number(fields[12]) : 0
}

function processesOf(profile) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid: Number(pid), parent: Number(stat(pid)?.[1]), line: read(pid, 'cmdline') ?? '' }))
  const own = new Set(all.filter(({ line }) => line.includes(profile)).map(({ pid }) => pid))
  for (let before = -1; before < own.size;) {
    before = own.size
    for (const { pid, parent } of all) if (own.has(parent)) own.add(pid)
  }
  return all
    .filter(({ pid, line }) => own.has(pid) && (line.includes('--type=renderer') || line.includes('-contentproc')))
    .map(({ pid }) => pid)
}

/**
 * Returns the process of a page: the one that uses far more time than the others while the page works. Measures again
 * if there is no such process.
 */
export async function processOf(profile, page) {
  const before = new Map()
  for (let tries = 0; tries < 100; tries++) {
    for (const pid of processesOf(profile)) if (!before.has(pid)) before.set(pid, ticks(pid))
    await page.evaluate(() => {
      for (let n = 0, x = 1; n < 3e7; n++) if ((x = (x * 48271) % 2147483647) === 0) break
    })
    const [most, next] = [...before]
      .map(([pid, then]) => ({ pid, used: ticks(pid) - then }))
      .sort((a, b) => b.used - a.used)
    if (most?.used > 50 && most.used > 4 * (next?.used ?? 0)) return most.pid
  }
  throw new Error('no process of the browser did what the page did')
}

/** Stops the process, and resolves when it has stopped. */
export async function stop(pid) {
  process.kill(pid, 'SIGSTOP')
  while (stat(pid)?.[0] !== 'T') await new Promise((resolve) => setTimeout(resolve, 5))
}
export const goOn = (pid) => process.kill(pid, 'SIGCONT')
