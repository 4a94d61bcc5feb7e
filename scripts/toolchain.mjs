// The cargo that builds for wasm32, and the one for this machine: an installed one if it is new enough, else one that
// can be installed.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { ask, at, cache, run, say, sha, step, Trouble, which } from './lib.mjs'
import { aptInstall, canApt } from './apt.mjs'

export const TARGET = 'wasm32-unknown-unknown'
/**
 * The oldest Rust that the native crate `nidus` 0.3.0 compiles with. The native tests need that crate, and one compiler
 * for everything is simpler than two.
 */
const OLDEST = [1, 96]
/** This version is installed if the user's own toolchains are older than OLDEST. The user's default stays. */
const PINNED = '1.96.0'

const cargoBin = join(process.env.CARGO_HOME || join(homedir(), '.cargo'), 'bin')
const newEnough = (version) => {
  const [major, minor] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

/** Returns facts of a compiler, or undefined if it is missing or too old. */
async function describe(rustc, ...select) {
  const text = await ask(rustc, ...select, '-vV')
  const version = /^release: (\S+)/m.exec(text ?? '')?.[1]
  if (!version || !newEnough(version)) return undefined
  const sysroot = await ask(rustc, ...select, '--print', 'sysroot')
  return { id: text, sysroot, llvm: /^LLVM version: (\d+)/m.exec(text)?.[1] }
}

/** Makes a stable compiler accept the flags below. */
const UNSTABLE = { RUSTC_BOOTSTRAP: '1' }
const SMALL = ['-Zunstable-options', '-Cpanic=immediate-abort', '-Zfmt-debug=none']
/** Returns the settings that compile std together with the crate. */
const compiledStd = (env = {}) => ({
  env: { ...env, ...UNSTABLE },
  flags: ['-Z', 'build-std=std,panic_abort'],
  // These make the module smaller: panics abort without a text, which nobody would see, and std is optimised for size.
  // A precompiled std cannot be changed like this.
  released: { cargo: ['-Z', 'build-std-features=optimize_for_size'], rustc: SMALL },
})

const stdSource = (sysroot) => join(sysroot, 'lib/rustlib/src/rust/library')
/** Gets the crates that std needs, from cargo's cache or the network. */
const fetchStd = ({ cargo, select, sysroot }, how, timeout) =>
  run(
    cargo,
    [
      ...select,
      'fetch',
      '--locked',
      '--target',
      TARGET,
      ...how,
      '--manifest-path',
      join(stdSource(sysroot), 'sysroot/Cargo.toml'),
    ],
    { env: UNSTABLE, quiet: true, mayFail: true, timeout },
  )

/** Returns whether this toolchain can compile std and knows the flags, which are not stable. */
async function stdBuilds(found) {
  if (!existsSync(join(stdSource(found.sysroot), 'std/Cargo.toml'))) return false
  const rustc = join(found.sysroot, 'bin', process.platform === 'win32' ? 'rustc.exe' : 'rustc')
  const flags = await run(rustc, ['--print', 'cfg', '--target', TARGET, ...SMALL], {
    env: UNSTABLE,
    quiet: true,
    mayFail: true,
  })
  return flags.code === 0 && (await fetchStd(found, ['--offline'], 20_000)).code === 0
}

/**
 * Tries to install the source of std for a toolchain that has a precompiled std, at most once a day. Without the source
 * everything works, but the module is larger.
 */
async function addStdSource({ cargo, select, sysroot, id }) {
  const tried = cache(`std-source-${sha(id, sysroot).slice(0, 16)}`)
  if (Date.now() - (statSync(tried, { throwIfNoEntry: false })?.mtimeMs ?? 0) < 86_400_000) return undefined
  const rustup = which('rustup', [cargoBin])
  await step('the source of std, for a smaller module', async () => {
    if (!existsSync(stdSource(sysroot)) && rustup) {
      await run(rustup, ['component', 'add', 'rust-src', '--toolchain', basename(sysroot)], {
        quiet: true,
        mayFail: true,
        timeout: 120_000,
      })
    }
    if (existsSync(stdSource(sysroot))) await fetchStd({ cargo, select, sysroot }, [], 60_000)
  })
  const better = await find()
  if (better?.wasm.flags.length) return better
  mkdirSync(cache(), { recursive: true })
  writeFileSync(tried, '')
  say('  it could not be had: the precompiled std it is, some 7 KB (gzip) more')
  return undefined
}

/** Finds a toolchain with a precompiled std for wasm32, from rustup or elsewhere. */
async function withPrecompiledStd() {
  const cargo = which('cargo', [cargoBin])
  const rustc = which('rustc', [cargoBin])
  if (!cargo || !rustc) return undefined
  for (const select of which('rustup', [cargoBin]) ? [[], [`+${PINNED}`]] : [[]]) {
    const found = await describe(rustc, ...select)
    if (!found || !existsSync(join(found.sysroot, 'lib/rustlib', TARGET, 'lib'))) continue
    const common = { id: found.id, sysroot: found.sysroot, cargo, select, env: {} }
    const small = await stdBuilds(common)
    return {
      native: common,
      wasm: { ...common, ...(small ? compiledStd() : { flags: [], released: { cargo: [], rustc: [] } }) },
    }
  }
  return undefined
}

/** Finds Debian's own compiler with the source of std. It must be told the linker, because Debian has no `rust-lld`. */
async function withStdSource() {
  const [cargo, rustc, rustdoc] = ['cargo', 'rustc', 'rustdoc'].map((name) => join('/usr/bin', name))
  if (!existsSync(cargo) || !existsSync(rustc)) return undefined
  const found = await describe(rustc)
  if (!found || !existsSync(join(stdSource(found.sysroot), 'std/Cargo.toml'))) return undefined
  const linker = `/usr/lib/llvm-${found.llvm}/bin/wasm-ld`
  if (!existsSync(linker)) return undefined
  const env = { RUSTC: rustc, RUSTDOC: rustdoc }
  const common = { id: found.id, sysroot: found.sysroot, cargo, select: [] }
  return {
    native: { ...common, env },
    wasm: { ...common, ...compiledStd({ ...env, CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker }) },
  }
}

const find = async () => (await withPrecompiledStd()) ?? (await withStdSource())

async function install() {
  const tried = []
  const rustup = which('rustup', [cargoBin])
  if (rustup) {
    const active = await describe(which('rustc', [cargoBin]) ?? 'rustc')
    // Without a network rustup gives up in a few seconds. The limit is for networks that swallow packets.
    const how = active
      ? ['target', 'add', TARGET]
      : ['toolchain', 'install', PINNED, '--profile', 'minimal', '--target', TARGET, '--no-self-update']
    const { code, output } = await step(`rustup ${how.join(' ')}`, () =>
      run(rustup, how, { quiet: true, mayFail: true, timeout: active ? 180_000 : 600_000 }),
    )
    const found = code === 0 && (await find())
    if (found) return found
    tried.push(`rustup ${how.join(' ')} failed: ${output.trim().split('\n').at(-1)}`)
    say(`  rustup could not: ${output.trim().split('\n').at(-1)}`)
  } else tried.push('rustup is not installed')
  if (await canApt()) {
    await step('apt-get install: Rust compiler for wasm32, std source, linker', () =>
      aptInstall(['rustc-web', 'cargo-web', 'rust-web-src', 'lld-22', 'gcc', 'libc6-dev']),
    )
    const found = await find()
    if (found) return found
    tried.push("Debian's packages did not bring a compiler that is new enough")
  } else tried.push('not Debian with root rights, so nothing was installed with apt-get')
  throw new Trouble(
    `No Rust ${OLDEST.join('.')} or newer that compiles for ${TARGET}.\n  ${tried.join('\n  ')}\n` +
      `Install rustup (https://rustup.rs), then: rustup toolchain install ${PINNED} --target ${TARGET}`,
  )
}

let known
/**
 * Returns { native, wasm }. Each is { cargo, select, env, id, sysroot }; wasm also has `flags` for cargo's command
 * line.
 */
export async function toolchain({ mayInstall = false } = {}) {
  known ??= (await find()) ?? (mayInstall ? await install() : undefined)
  if (known && mayInstall && !known.wasm.flags.length) known = (await addStdSource(known.wasm)) ?? known
  if (!known) throw new Trouble('No Rust toolchain for wasm32: run `npm run setup` first.')
  return known
}

/** Returns the version of a crate in Cargo.lock. */
export function lockedVersion(crate) {
  if (!existsSync(at('Cargo.lock'))) return undefined
  return new RegExp(`name = "${crate}"\nversion = "([^"]+)"`).exec(readFileSync(at('Cargo.lock'), 'utf8'))?.[1]
}

/**
 * Returns the compiler's flags for every wasm build. They do not depend on where this checkout is. They replace the
 * paths of the compiler's and the registry's sources, which would otherwise be in panic messages.
 */
export function wasmFlags({ sysroot }, more = []) {
  const cargoHome = process.env.CARGO_HOME || join(homedir(), '.cargo')
  return [
    '-Ctarget-feature=+simd128',
    // Little is inlined, because a call costs little in wasm. The inner loops mark what must be inlined.
    '-Cllvm-args=-inline-threshold=40',
    // Vectorized and unrolled copies of a loop make nothing faster. Where it matters, the source says how many lanes to
    // use.
    '-Cno-vectorize-loops',
    '-Cllvm-args=-unroll-runtime=false',
    '-Cllvm-args=-unroll-allow-partial=false',
    ...more,
    `--remap-path-prefix=${join(cargoHome, 'registry/src')}=crates`,
    `--remap-path-prefix=${join(sysroot, 'lib/rustlib/src/rust')}=rust`,
  ].join('\x1f')
}
