// Installs what is missing to build, to serve the demo or to test: node scripts/setup.mjs --for build|demo|test. It can
// be repeated, and prints nothing about what is there already.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { installBrowsers } from './browsers-install.mjs'
import { at, cache, isMain, locked, main, run, say, seconds, sha, step, Trouble } from './lib.mjs'
import { lockedVersion, toolchain } from './toolchain.mjs'

async function npmDependencies() {
  const stamp = at('node_modules/.nidus-lock')
  const wanted = sha(readFileSync(at('package-lock.json')), process.version)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  await step('npm ci', () => run('npm', ['ci', '--no-audit', '--no-fund'], { quiet: true }))
  writeFileSync(stamp, wanted)
}

/** Returns the directory that has wasm-bindgen-cli, in the version of Cargo.lock. */
export const wasmBindgenDir = () => cache(`wasm-bindgen-${bindgenVersion()}`, 'bin')

function bindgenVersion() {
  const version = lockedVersion('wasm-bindgen')
  if (!version) throw new Trouble('Cargo.lock names no wasm-bindgen')
  return version
}

async function wasmBindgen() {
  const { native } = await toolchain()
  if (!existsSync(at('Cargo.lock'))) {
    await step('cargo generate-lockfile', () =>
      run(native.cargo, [...native.select, 'generate-lockfile'], { env: native.env, quiet: true }),
    )
  }
  const version = bindgenVersion()
  const target = cache(`wasm-bindgen-${version}`)
  if (existsSync(target)) return
  const beside = cache(`wasm-bindgen-${version}.${process.pid}.tmp`)
  mkdirSync(cache(), { recursive: true })
  // There is no --locked, because the lock file of the published 0.2.130 names a yanked crate. A debug build is fast
  // enough, and is built in half the time.
  const args = [
    ...native.select,
    'install',
    '--debug',
    'wasm-bindgen-cli',
    '--version',
    `=${version}`,
    '--root',
    beside,
  ]
  try {
    await step(`cargo install wasm-bindgen-cli ${version}`, () =>
      // It has its own target directory. If the user shares one between projects, another build may hold its lock.
      run(native.cargo, args, {
        env: { ...native.env, CARGO_PROFILE_DEV_DEBUG: '0', CARGO_TARGET_DIR: join(beside, 'target') },
        quiet: true,
      }),
    )
    rmSync(join(beside, 'target'), { recursive: true, force: true })
    try {
      renameSync(beside, target)
    } catch (cause) {
      // The set-up of another checkout may have been first with the same version.
      if (!existsSync(target)) throw cause
    }
  } finally {
    rmSync(beside, { recursive: true, force: true })
  }
}

async function rust() {
  await toolchain({ mayInstall: true })
  await wasmBindgen()
}

/** Gets the language model that the demo needs, by the demo's own script. */
async function demoModel() {
  const script = at('www/scripts/model.mjs')
  if (!existsSync(script)) return
  const { ensureModel } = await import(pathToFileURL(script).href)
  await ensureModel()
}

/** Sets up everything. Parts that do not depend on each other run at the same time. */
export async function setUp(purpose) {
  const start = performance.now()
  const parts = {
    build: [npmDependencies, rust],
    demo: [npmDependencies, rust, demoModel],
    test: [() => npmDependencies().then(installBrowsers), rust, demoModel],
  }[purpose]
  if (!parts) throw new Trouble(`--for ${purpose}: it must be build, demo or test`)
  await locked(at('target/.nidus-setup'), async () => {
    // All parts are waited for, so that none is still running when a failure is reported.
    const failed = (await Promise.allSettled(parts.map((part) => part()))).filter(({ status }) => status === 'rejected')
    if (failed.length)
      throw failed.length === 1
        ? failed[0].reason
        : new Trouble(failed.map(({ reason }) => reason.message).join('\n\n'))
  })
  say(`set-up for ${purpose}: ${seconds(start)}`)
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({ options: { for: { type: 'string', default: 'build' } } })
  main(() => setUp(values.for))
}
