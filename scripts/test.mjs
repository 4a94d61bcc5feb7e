// `npm test`: set up, build, then every suite; or only the groups that are named: node scripts/test.mjs rust wasm types js kill matrix www
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { relative } from 'node:path'
import { webdriver } from './browsers.mjs'
import { build } from './build.mjs'
import { at, filesUnder, isMain, main, run, say, seconds, Trouble } from './lib.mjs'
import { TooLarge } from './sizes.mjs'
import { TARGET, toolchain, wasmFlags } from './toolchain.mjs'

const node = (script, ...args) => run(process.execPath, [at('node_modules', script), ...args])

async function native() {
  const { native: rust } = await toolchain()
  await run(rust.cargo, [...rust.select, 'test', '--locked', '--no-fail-fast'], { env: rust.env })
  await run(rust.cargo, [...rust.select, 'doc', '--locked', '--no-deps'], { env: { ...rust.env, RUSTDOCFLAGS: '-D warnings' } })
  // The other module's codes lie differently.
  await run(rust.cargo, [...rust.select, 'test', '--locked', '--features', 'relaxed-simd', '--lib', '--test', 'codes'], { env: rust.env })
}

/** tests/wasm_node*.rs and tests/wasm_browser*.rs: by name, since the other tests in there compile only natively. */
async function wasm(prefix, features = []) {
  const { wasm: rust } = await toolchain()
  const names = filesUnder(at('tests'), (path) => path.startsWith(prefix) && path.endsWith('.rs')).map((path) => path.slice(0, -3))
  if (names.length === 0) throw new Trouble(`there is no tests/${prefix}*.rs`)
  const args = [...rust.select, 'test', '--locked', '--release', '--target', TARGET, ...rust.flags, ...features.flatMap((name) => ['--features', name]), ...names.flatMap((name) => ['--test', name])]
  // With std compiled here, tests that abort as the shipped module does can share the std that the build made.
  if (rust.flags.length) args.push('-Z', 'panic-abort-tests')
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

/** A wasm module of one's own takes the sink over OPFS alone. */
async function opfsAlone() {
  const { wasm: rust } = await toolchain()
  const alone = ['--lib', '--no-default-features', '--features', 'opfs']
  const env = { ...rust.env, CARGO_ENCODED_RUSTFLAGS: `${wasmFlags(rust)}\u001f-Dwarnings`, CARGO_TARGET_DIR: at('target') }
  await run(rust.cargo, [...rust.select, 'check', '--locked', '--target', TARGET, ...rust.flags, ...alone], { env })
}

async function types() {
  await node('typescript/bin/tsc', '-p', at('tsconfig.json'), '--noEmit')
  if (existsSync(at('www/tsconfig.json'))) await node('typescript/bin/tsc', '-p', at('www/tsconfig.json'), '--noEmit')
}

/** What each file of tests took, in milliseconds, by its name and where it ran. */
const files = []

/** Vitest, and how long its files took. */
async function timed(name, ...args) {
  const report = at('target/test-times', `${name}.json`)
  mkdirSync(at('target/test-times'), { recursive: true })
  rmSync(report, { force: true })
  try {
    await node('vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args)
  } finally {
    files.push(...timesOf(existsSync(report) ? readFileSync(report, 'utf8') : undefined, name))
  }
}

/** From Vitest's own report. One that a killed run left behind half is none. */
export function timesOf(report, name) {
  try {
    const { testResults } = JSON.parse(report)
    return testResults.map((file) => ({ file: `${relative(at(), file.name)}, ${name}`, time: file.endTime - file.startTime }))
  } catch {
    return []
  }
}

/** The page is built as it is deployed and driven from outside, so it has a configuration of its own. */
const www = () => timed('www', '--config', at('www/vitest.config.ts'))

const vitest = (project) => () => timed(project, '--project', project)

const SUITES = [
  { group: 'rust', name: 'cargo test, on this machine', work: native },
  { group: 'wasm', name: 'wasm-bindgen-test in Node', work: () => wasm('wasm_node') },
  { group: 'wasm', name: 'wasm-bindgen-test in Chromium', work: () => wasm('wasm_browser'), needs: () => !!webdriver(), lack: 'no chromedriver' },
  { group: 'wasm', name: 'relaxed: wasm-bindgen-test in Node', work: () => wasm('wasm_node', ['relaxed-simd']) },
  { group: 'wasm', name: 'relaxed: in Chromium', work: () => wasm('wasm_browser', ['relaxed-simd']), needs: () => !!webdriver(), lack: 'no chromedriver' },
  { group: 'wasm', name: 'the sink over OPFS alone', work: opfsAlone },
  { group: 'types', name: 'types', work: types },
  { group: 'js', name: 'package in Node', work: vitest('node') },
  { group: 'js', name: 'package in Chromium and Firefox', work: vitest('browser') },
  { group: 'kill', name: 'kill loops', work: () => run(process.execPath, [at('pkg-tests/kill/run.mjs'), '--cycles', '20', '--hard', '8', '--at-once', '2', '--seed', '1', '--prove']) },
  { group: 'js', name: 'hosts through the crash simulator', work: vitest('crash') },
  { group: 'matrix', name: 'the tarball, installed', work: () => run(process.execPath, [at('pkg-tests/matrix/run.mjs'), '--core']) },
  { group: 'www', name: 'demo in Chromium', work: www },
]

if (isMain(import.meta.url)) main(async () => {
  const start = performance.now()
  const groups = process.argv.slice(2)
  const chosen = SUITES.filter(({ group }) => groups.length === 0 || groups.includes(group))
  const unknown = groups.filter((group) => !SUITES.some((suite) => suite.group === group))
  if (unknown.length) throw new Trouble(`no such group of tests: ${unknown.join(', ')}`)
  const results = []
  const attempt = async (name, work) => {
    const began = performance.now()
    say(`\n==== ${name} ====`)
    let failure
    try {
      await work()
    } catch (error) {
      failure = error
      process.stderr.write(`\n${error instanceof Trouble ? error.message : error.stack}\n`)
    }
    results.push({ name, how: failure ? 'FAILED' : 'passed', time: seconds(began) })
    say(`==== ${name}: ${results.at(-1).how}, ${results.at(-1).time} ====`)
    return failure
  }

  const failure = await attempt('set-up, build, size budget', () => build({ purpose: 'test' }))
  // Without a build of these sources there is nothing to test: what lies in dist/ would be of others.
  const pointless = failure && !(failure instanceof TooLarge)
  for (const { name, work, needs, lack } of pointless ? [] : chosen) {
    if (!needs || needs()) {
      await attempt(name, work)
      continue
    }
    results.push({ name, how: `SKIPPED: ${lack}` })
    say(`\n!!!! ${name}: SKIPPED, ${lack} !!!!`)
  }

  say(`\nAll of it: ${seconds(start)}`)
  for (const { name, how, time = '' } of results) say(`  ${name.padEnd(34)}${how.padEnd(9)}${time.padStart(9)}`)
  const slowest = files.sort((a, b) => b.time - a.time).slice(0, 20)
  if (slowest.length) say('\nThe slowest files of tests:')
  for (const { file, time } of slowest) say(`${`${(time / 1000).toFixed(1)} s`.padStart(9)}  ${file}`)
  say('')
  const count = (wanted) => results.filter(({ how }) => how === wanted).length
  say(`${count('passed')} passed, ${count('FAILED')} failed`)
  return count('FAILED') ? 1 : 0
})
