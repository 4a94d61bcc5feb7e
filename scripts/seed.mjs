// Keeps the compiled standard library and dependencies of one checkout for the next one. If std is compiled from
// source, they take most of the time of a first build. Only files that cargo checks by fingerprint are kept, and no
// file of this crate.
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { at, cache } from './lib.mjs'
import { TARGET } from './toolchain.mjs'

const KEPT = ['.fingerprint', 'build', 'deps']
const profiles = ['release', join(TARGET, 'release')]
/** The number of sets to keep: one for each compiler and lock file in use. */
const SETS = 3

function copy(from, to) {
  for (const profile of profiles) {
    for (const part of KEPT.filter((name) => existsSync(join(from, profile, name)))) {
      mkdirSync(join(to, profile, part), { recursive: true })
      for (const entry of readdirSync(join(from, profile, part))) {
        // cargo compares time stamps, so they are kept.
        if (!/nidus|\.tmp/.test(entry))
          cpSync(join(from, profile, part, entry), join(to, profile, part, entry), {
            recursive: true,
            preserveTimestamps: true,
          })
      }
    }
  }
}

/** Copies the kept files into target/, unless this checkout has been built before. */
export function takeSeed(key) {
  const set = cache(`compiled-${key}`)
  if (process.env.NIDUS_NO_SEED || existsSync(at('target', TARGET, 'release')) || !existsSync(set)) return
  copy(set, at('target'))
}

/** Keeps the compiled files of this checkout, if there are none with this key yet. */
export function leaveSeed(key) {
  const name = `compiled-${key}`
  if (existsSync(cache(name))) return
  const beside = cache(`${name}.${process.pid}.tmp`)
  copy(at('target'), beside)
  try {
    renameSync(beside, cache(name))
  } catch (cause) {
    // Another checkout may have stored the same set meanwhile.
    rmSync(beside, { recursive: true, force: true })
    if (!existsSync(cache(name))) throw cause
  }
  const age = (set) => statSync(cache(set)).mtimeMs
  const sets = readdirSync(cache())
    .filter((set) => /^compiled-[0-9a-f]+$/.test(set))
    .sort((a, b) => age(b) - age(a))
  for (const old of sets.slice(SETS)) rmSync(cache(old), { recursive: true, force: true })
}
