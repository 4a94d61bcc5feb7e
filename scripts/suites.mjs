// The suites of `npm test`, and how each is run.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { webdriver } from './browsers.mjs'
import { build } from './build.mjs'
import { at, filesUnder, run, Trouble } from './lib.mjs'
import { TARGET, toolchain, wasmFlags } from './toolchain.mjs'

const node = (script, ...args) => run(process.execPath, [at('node_modules', script), ...args])

async function native() {
  const { native: rust } = await toolchain()
  // A fifth of the crash images; `npm run test:long` looks at them all.
  // From a bare clone nothing is compiled a second time, so nothing is kept for that.
  const env = { CARGO_INCREMENTAL: '0', NIDUS_CRASH_IMAGES: process.env.NIDUS_CRASH_IMAGES || '200_000', ...rust.env }
  await run(rust.cargo, [...rust.select, 'test', '--locked', '--no-fail-fast'], { env })
  await run(rust.cargo, [...rust.select, 'doc', '--locked', '--no-deps'], { env: { ...rust.env, RUSTDOCFLAGS: '-D warnings' } })
  // The other module's codes lie differently, and nothing else does.
  const relaxed = [...rust.select, 'test', '--locked', '--features', 'relaxed-simd']
  await run(rust.cargo, [...relaxed, '--lib', '--', 'search::'], { env })
  await run(rust.cargo, [...relaxed, '--test', 'codes'], { env })
}

/** For tests the std will do that the toolchain has. Where it has none, it is compiled with them. */
const stdFlags = ({ sysroot, flags }) => (existsSync(join(sysroot, 'lib/rustlib', TARGET, 'lib')) ? [] : flags)

/** tests/wasm_node*.rs and tests/wasm_browser*.rs: by name, since the other tests in there compile only natively. */
async function wasm(prefix, features = []) {
  const { wasm: rust } = await toolchain()
  const names = filesUnder(at('tests'), (path) => path.startsWith(prefix) && path.endsWith('.rs')).map((path) => path.slice(0, -3))
  if (names.length === 0) throw new Trouble(`there is no tests/${prefix}*.rs`)
  await bundleForWasm()
  const flags = stdFlags(rust)
  const args = [...rust.select, 'test', '--locked', '--release', '--target', TARGET, ...flags, ...features.flatMap((name) => ['--features', name]), ...names.flatMap((name) => ['--test', name])]
  // Where std is compiled with them, they abort as the shipped module does.
  if (flags.length) args.push('-Z', 'panic-abort-tests')
  await run(rust.cargo, args, {
    env: {
      ...rust.env,
      CARGO_ENCODED_RUSTFLAGS: wasmFlags(rust),
      CARGO_TARGET_DIR: at('target'),
      // Node 20 has the instruction behind a flag, which later ones do not know, and its baseline compiler gets it wrong.
      ...(features.length && Number(process.versions.node.split('.')[0]) < 21 && { NODE_ARGS: '--experimental-wasm-relaxed-simd,--no-liftoff' }),
      // Relative, and so free of spaces, which cargo would split at: it runs tests in the crate's root.
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: 'node scripts/wasm-runner.mjs',
    },
  })
}

/** What tests/wasm_node.rs takes in of the TypeScript. */
async function bundleForWasm() {
  const { build } = await import('esbuild')
  await build({ entryPoints: [at('tests/wasm/idb-buffer.ts')], outfile: at('target/nidus-wasm/idb-buffer.js'), bundle: true, format: 'iife', globalName: 'idb', target: 'es2022', logLevel: 'error' })
}

/** A wasm module of one's own takes the sink over OPFS alone. */
async function opfsAlone() {
  const { wasm: rust } = await toolchain()
  const alone = ['--lib', '--no-default-features', '--features', 'opfs']
  const env = { ...rust.env, CARGO_ENCODED_RUSTFLAGS: `${wasmFlags(rust)}\u001f-Dwarnings`, CARGO_TARGET_DIR: at('target') }
  await run(rust.cargo, [...rust.select, 'check', '--locked', '--target', TARGET, ...stdFlags(rust), ...alone], { env })
}

async function types() {
  await node('typescript/bin/tsc', '-p', at('tsconfig.json'), '--noEmit')
  if (existsSync(at('www/tsconfig.json'))) await node('typescript/bin/tsc', '-p', at('www/tsconfig.json'), '--noEmit')
}

const reportOf = (name) => at('target/test-times', `${name}.json`)

/** Vitest, which leaves a report of how long its files took. */
async function vitest(name, ...args) {
  mkdirSync(at('target/test-times'), { recursive: true })
  rmSync(reportOf(name), { force: true })
  await node('vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportOf(name)}`, ...args)
}

/** In milliseconds, by the file's name and where it ran. A report that a killed run left behind half is none. */
export function timesOf(report, name) {
  try {
    const { testResults } = JSON.parse(report)
    return testResults.map((file) => ({ file: `${relative(at(), file.name)}, ${name}`, time: file.endTime - file.startTime }))
  } catch {
    return []
  }
}

/** How long each file of a suite took. */
export const filesOf = ({ report }) => (report && existsSync(reportOf(report)) ? timesOf(readFileSync(reportOf(report), 'utf8'), report) : [])

/** Two files at a time also on two processors, where Vitest would take one: much of the time they wait for other processes. */
const project = (report) => ({ report, work: () => vitest(report, '--project', report, '--maxWorkers', '2') })
/** The page is built as it is deployed and driven from outside, so it has a configuration of its own. */
const www = { report: 'www', work: () => vitest('www', '--config', at('www/vitest.config.ts')) }
const kill = () => run(process.execPath, [at('pkg-tests/kill/run.mjs'), '--cycles', '20', '--hard', '8', '--at-once', '2', '--seed', '1', '--prove'])
const inBrowser = { needs: () => !!webdriver(), lack: 'no chromedriver' }

/** cargo lets one at a time into target/release. */
const release = { takes: 'target/release' }

export const BUILD = { name: 'build, size budget', unbuilt: true, ...release, work: () => build({ purpose: 'test' }) }

/** In the order in which they begin: the long ones first, so that at the end none is alone. `unbuilt`: it does without dist/. */
export const SUITES = [
  { group: 'rust', name: 'cargo test, on this machine', unbuilt: true, work: native },
  { group: 'js', name: 'package in Node', ...project('node') },
  { group: 'js', name: 'package in Chromium and Firefox', ...project('browser') },
  { group: 'js', name: 'hosts through the crash simulator', ...project('crash') },
  { group: 'www', name: 'demo in Chromium', ...www },
  { group: 'wasm', ...release, name: 'wasm-bindgen-test in Node', work: () => wasm('wasm_node') },
  { group: 'wasm', ...release, name: 'wasm-bindgen-test in Chromium', ...inBrowser, work: () => wasm('wasm_browser') },
  { group: 'kill', name: 'kill loops', work: kill },
  { group: 'wasm', ...release, name: 'relaxed: wasm-bindgen-test in Node', work: () => wasm('wasm_node', ['relaxed-simd']) },
  { group: 'wasm', ...release, name: 'relaxed: in Chromium', ...inBrowser, work: () => wasm('wasm_browser', ['relaxed-simd']) },
  { group: 'matrix', name: 'the tarball, installed', work: () => run(process.execPath, [at('pkg-tests/matrix/run.mjs'), '--core']) },
  { group: 'types', name: 'types', work: types },
  { group: 'wasm', ...release, name: 'the sink over OPFS alone', work: opfsAlone },
]
