// The suites of `npm test`, and how each is run.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { present, webdriver } from './browsers.mjs'
import { build } from './build.mjs'
import { at, filesUnder, run, Trouble } from './lib.mjs'
import { lint } from './lint.mjs'
import { TARGET, toolchain, wasmFlags } from './toolchain.mjs'

const node = (script, ...args) => run(process.execPath, [at('node_modules', script), ...args])

async function native() {
  const { native: rust } = await toolchain()
  // Only a tenth of the crash images are looked at. `npm run test:long` looks at all of them. Nothing is kept for
  // incremental builds, because after a fresh clone everything is compiled only once.
  const env = { CARGO_INCREMENTAL: '0', NIDUS_CRASH_IMAGES: process.env.NIDUS_CRASH_IMAGES || '100_000', ...rust.env }
  await run(rust.cargo, [...rust.select, 'test', '--locked', '--features', 'text', '--no-fail-fast'], { env })
  await run(rust.cargo, [...rust.select, 'doc', '--locked', '--features', 'text', '--no-deps'], {
    env: { ...rust.env, RUSTDOCFLAGS: '-D warnings' },
  })
}

/** Returns the flags that compile std together with the tests, if the toolchain has no precompiled std. */
const stdFlags = ({ sysroot, flags }) => (existsSync(join(sysroot, 'lib/rustlib', TARGET, 'lib')) ? [] : flags)

/** cargo splits this text at spaces, so the path is relative: cargo runs tests in the root of the crate. */
const RUNNER = 'node scripts/wasm-runner.mjs'

/**
 * Runs the tests in wasm whose files begin with `prefix`: wasm_node, wasm_browser or web_. They are selected by name,
 * because the other tests compile only natively. `alone` leaves out the default features, and `browser` names the one in
 * which the tests run.
 */
export async function wasm(prefix, features = [], { alone = false, browser } = {}) {
  const { wasm: rust } = await toolchain()
  const names = filesUnder(at('tests'), (path) => path.startsWith(prefix) && path.endsWith('.rs')).map((path) =>
    path.slice(0, -3),
  )
  if (names.length === 0) throw new Trouble(`there is no tests/${prefix}*.rs`)
  await bundleForWasm()
  const flags = stdFlags(rust)
  const args = [
    ...rust.select,
    'test',
    '--locked',
    '--release',
    '--target',
    TARGET,
    ...flags,
    ...(alone ? ['--no-default-features'] : []),
    ...features.flatMap((name) => ['--features', name]),
    ...names.flatMap((name) => ['--test', name]),
  ]
  // If std is compiled together with the tests, a panic aborts them, as in the shipped module.
  if (flags.length) args.push('-Z', 'panic-abort-tests')
  await run(rust.cargo, args, {
    env: {
      ...rust.env,
      CARGO_ENCODED_RUSTFLAGS: wasmFlags(rust),
      CARGO_TARGET_DIR: at('target'),
      // Node 20 has relaxed SIMD only with a flag, which later versions do not know. Its baseline compiler compiles an
      // instruction of it wrongly.
      ...(features.includes('relaxed-simd') &&
        Number(process.versions.node.split('.')[0]) < 21 && {
          NODE_ARGS: '--experimental-wasm-relaxed-simd,--no-liftoff',
        }),
      ...(browser && { NIDUS_WASM_BROWSER: browser }),
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: RUNNER,
    },
  })
}

/** Bundles the TypeScript that tests/wasm_node.rs includes. */
async function bundleForWasm() {
  const { build } = await import('esbuild')
  await build({
    entryPoints: [at('tests/wasm/idb-buffer.ts')],
    outfile: at('target/nidus-wasm/idb-buffer.js'),
    bundle: true,
    format: 'iife',
    globalName: 'idb',
    target: 'es2022',
    logLevel: 'error',
  })
}

/** The features by which a Rust web application has storage. */
const WEB = ['opfs', 'indexeddb']

/** Runs the tests of the storage from Rust alone in a browser. */
const web = (browser) => wasm('web_', WEB, { alone: true, browser })

/**
 * Checks that the crate compiles with each kind of storage alone, as a user's own wasm module may need it. Also compiles
 * the code in the documentation of `src/browser` and in its guide.
 */
async function storageAlone() {
  const { wasm: rust } = await toolchain()
  const common = ['--locked', '--target', TARGET, ...stdFlags(rust), '--no-default-features', '--features']
  const env = {
    ...rust.env,
    CARGO_ENCODED_RUSTFLAGS: `${wasmFlags(rust)}\u001f-Dwarnings`,
    CARGO_TARGET_DIR: at('target'),
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: RUNNER,
  }
  for (const feature of ['handle', ...WEB])
    await run(rust.cargo, [...rust.select, 'check', '--lib', ...common, feature], { env })
  await run(rust.cargo, [...rust.select, 'test', '--doc', ...common, WEB.join(), '--', 'browser'], { env })
}

async function types() {
  await node('typescript/bin/tsc', '-p', at('tsconfig.json'), '--noEmit')
  for (const where of ['bare', 'node', 'dom'])
    await node('typescript/bin/tsc', '-p', at(`pkg-tests/types/${where}.json`))
  if (existsSync(at('www/tsconfig.json'))) await node('typescript/bin/tsc', '-p', at('www/tsconfig.json'), '--noEmit')
}

const reportOf = (name) => at('target/test-times', `${name}.json`)

/** Runs Vitest, which writes a report of how long its files took. */
async function vitest(name, ...args) {
  mkdirSync(at('target/test-times'), { recursive: true })
  rmSync(reportOf(name), { force: true })
  await node(
    'vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportOf(name)}`,
    ...args,
  )
}

/**
 * Returns for each file of a report its name, the suite that ran it and its time in milliseconds. Returns an empty list
 * if a killed run left the report half written.
 */
export function timesOf(report, name) {
  try {
    const { testResults } = JSON.parse(report)
    return testResults.map((file) => ({
      file: `${relative(at(), file.name)}, ${name}`,
      time: file.endTime - file.startTime,
    }))
  } catch {
    return []
  }
}

/** Returns the tests that failed: each with its file, its name and the first lines of its error. */
export function failuresOf(report, name) {
  try {
    const text = ({ fullName, failureMessages }) => {
      const lines = failureMessages
        .join('\n')
        .replace(/\u001b\[[0-9;]*m/g, '')
        .split('\n')
      return `${fullName}\n${lines
        .slice(0, 12)
        .map((line) => `    ${line}`)
        .join('\n')}`
    }
    return JSON.parse(report).testResults.flatMap(({ name: file, message, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === 'failed')
      const all = failed.length || !message ? failed : [{ fullName: 'the file itself', failureMessages: [message] }]
      return all.map((one) => `${relative(at(), file)}, ${name}: ${text(one)}`)
    })
  } catch {
    return []
  }
}

const readReport = ({ report }, read) =>
  report && existsSync(reportOf(report)) ? read(readFileSync(reportOf(report), 'utf8'), report) : []

/** Returns how long each file of a suite took. */
export const filesOf = (suite) => readReport(suite, timesOf)

/** Returns the tests of a suite that failed. */
export const failedIn = (suite) => readReport(suite, failuresOf)

/**
 * Returns a suite for a project of Vitest. It runs two files at a time, because files often wait for other processes.
 * With two processors, Vitest alone would run one.
 */
const project = (report) => ({ report, work: () => vitest(report, '--project', report, '--maxWorkers', '2') })
/** The tests of the page. They have their own configuration, because they drive the built page from outside. */
const www = { report: 'www', work: () => vitest('www', '--config', at('www/vitest.config.ts')) }
const kill = () =>
  run(process.execPath, [
    at('pkg-tests/kill/run.mjs'),
    '--cycles',
    '12',
    '--hard',
    '5',
    '--at-once',
    '2',
    '--seed',
    '1',
    '--prove',
  ])
const inBrowser = { needs: () => !!webdriver(), lack: 'no chromedriver' }

/** Marks a suite that builds in target/release, where cargo allows one run at a time. */
const release = { takes: 'target/release' }

export const BUILD = { name: 'build, size budget', unbuilt: true, ...release, work: () => build({ purpose: 'test' }) }

/**
 * The suites in the order in which they begin. The long ones come first, so that none is alone at the end. `unbuilt`
 * says that a suite does not need dist/.
 */
export const SUITES = [
  { group: 'rust', name: 'cargo test, on this machine', unbuilt: true, work: native },
  { group: 'js', name: 'package in Chromium and Firefox', ...project('browser') },
  { group: 'js', name: 'package in tabs and other runtimes', ...project('runtimes') },
  { group: 'js', name: 'package in Node', ...project('node') },
  { group: 'js', name: 'hosts through the crash simulator', ...project('crash') },
  { group: 'www', name: 'demo in Chromium', ...www },
  { group: 'wasm', ...release, name: 'wasm-bindgen-test in Node', work: () => wasm('wasm_node') },
  { group: 'wasm', ...release, name: 'wasm-bindgen-test in Chromium', ...inBrowser, work: () => wasm('wasm_browser') },
  { group: 'kill', name: 'kill loops', work: kill },
  {
    group: 'wasm',
    ...release,
    name: 'relaxed: wasm-bindgen-test in Node',
    work: () => wasm('wasm_node', ['relaxed-simd']),
  },
  {
    group: 'matrix',
    name: 'the tarball, installed',
    work: () => run(process.execPath, [at('pkg-tests/matrix/run.mjs'), '--core']),
  },
  { group: 'types', name: 'types', work: types },
  { group: 'lint', name: 'formatters and linters', unbuilt: true, work: lint },
  { group: 'wasm', ...release, name: 'storage from Rust in Chromium', ...inBrowser, work: () => web('chromium') },
  {
    group: 'wasm',
    ...release,
    name: 'storage from Rust in Firefox',
    needs: () => !!present().firefox,
    lack: 'no Firefox',
    work: () => web('firefox'),
  },
  {
    group: 'wasm',
    ...release,
    name: 'examples from Rust beside the package',
    work: () => run(process.execPath, [at('pkg-tests/rust/run.mjs')]),
  },
  { group: 'wasm', ...release, name: 'each kind of storage alone', work: storageAlone },
]
