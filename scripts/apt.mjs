// Installs Debian's packages, if this process may do so without asking for a password.
import { readFileSync } from 'node:fs'
import { ask, run, which } from './lib.mjs'

const isRoot = process.getuid?.() === 0
const isDebian = () => {
  try {
    return /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

/** Returns whether this process may install Debian's packages. `sudo -n` fails instead of asking for a password. */
export const canApt = async () =>
  isDebian() && !!which('apt-get') && (isRoot || (await ask('sudo', '-n', 'true')) !== undefined)

let updated
let last = Promise.resolve()

/**
 * Installs packages. If there are several callers, they take turns. If another program uses apt, this waits for its
 * lock for up to 15 minutes.
 */
export function aptInstall(packages) {
  const apt = (...args) => {
    const line = ['apt-get', '-o', 'DPkg::Lock::Timeout=900', '-q', ...args]
    return run(isRoot ? 'env' : 'sudo', [...(isRoot ? [] : ['-n', 'env']), 'DEBIAN_FRONTEND=noninteractive', ...line], {
      quiet: true,
    })
  }
  const mine = last.then(async () => {
    updated ??= apt('update')
    await updated
    await apt('install', '-y', '--no-install-recommends', ...packages)
  })
  last = mine.then(
    () => {},
    () => {},
  )
  return mine
}
