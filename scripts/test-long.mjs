// `npm run test:long`: the suites that prove more than `npm test` and take longer. It runs all of them, those that fit
// (`--minutes 30`), or those that are named.
import { parseArgs } from 'node:util'
import { at, isMain, main, run, say, seconds, Trouble, which } from './lib.mjs'
import { buildAnyWeight } from './build.mjs'
import { webdriver } from './browsers.mjs'
import { wasm } from './suites.mjs'
import { toolchain } from './toolchain.mjs'

const script =
  (name, ...args) =>
  () =>
    run(process.execPath, [at(name), ...args])

/** Makes generated tests run all of their cases. `npm test` runs only some of them. */
const EVERY_CASE = { NIDUS_EVERY_CASE: '1' }
async function rust() {
  const { native } = await toolchain()
  await run(native.cargo, [...native.select, 'test', '--locked', '--features', 'text', '--no-fail-fast'], {
    env: { ...native.env, ...EVERY_CASE },
  })
}
/**
 * Tests the module with relaxed SIMD, which has its codes in another order: natively and in a browser. `npm test` runs
 * its tests in Node.
 */
async function relaxed() {
  const { native } = await toolchain()
  const test = [...native.select, 'test', '--locked', '--features', 'relaxed-simd']
  await run(native.cargo, [...test, '--lib', '--', 'search::'], { env: native.env })
  await run(native.cargo, [...test, '--test', 'codes'], { env: native.env })
  if (webdriver()) await wasm('wasm_browser', ['relaxed-simd'])
}
const node = (projects, ...files) =>
  run(
    process.execPath,
    [
      at('node_modules/vitest/vitest.mjs'),
      'run',
      ...projects.flatMap((name) => ['--project', name]),
      '--maxWorkers',
      '2',
      ...files,
    ],
    { env: EVERY_CASE },
  )

/**
 * The long suites. `minutes` is the time of each on two cores. Those that find the most in the least time come first.
 */
export const LONG = [
  {
    name: 'tabs, Firefox',
    minutes: 4,
    work: script('pkg-tests/tabs/stress.mjs', '--minutes', '3', '--browser', 'firefox', '--storage', 'indexeddb'),
  },
  {
    name: 'tabs, Chromium',
    minutes: 11,
    work: script('pkg-tests/tabs/stress.mjs', '--minutes', '10', '--browser', 'chromium', '--storage', 'opfs'),
  },
  { name: 'a million crash images, every case in Rust', minutes: 9, work: rust },
  { name: 'relaxed', minutes: 4, work: relaxed },
  {
    name: 'every case in Node',
    minutes: 8,
    work: () =>
      node(
        ['node', 'runtimes'],
        'pkg-tests/sharded/words.test.ts',
        ...['static-cache', 'damage', 'lists', 'text', 'feed', 'derived', 'changes'].map(
          (name) => `pkg-tests/node/${name}.test.ts`,
        ),
      ),
  },
  {
    name: 'every case in Chromium and Firefox',
    minutes: 15,
    work: () =>
      node(
        ['browser'],
        ...['transfer', 'text', 'derived', 'changes'].map((name) => `pkg-tests/browser/${name}.test.ts`),
      ),
  },
  { name: 'every case of crashed hosts', minutes: 5, work: () => node(['crash']) },
  {
    name: 'fuzz',
    minutes: 52,
    work: script('scripts/fuzz.mjs'),
    needs: () => which('cargo-fuzz'),
    lack: 'no cargo-fuzz',
  },
  { name: 'matrix', minutes: 20, work: script('pkg-tests/matrix/run.mjs') },
  { name: 'examples', minutes: 8, work: script('pkg-tests/examples/run.mjs') },
  { name: 'kill loops', minutes: 60, work: script('pkg-tests/kill/run.mjs', '--cycles', '1000') },
]

/**
 * Returns the suites that together take at most this many minutes. It goes through them in their order, and skips each
 * that no longer fits.
 */
export function fitting(suites, minutes) {
  let left = minutes
  return suites.filter((suite) => suite.minutes <= left && ((left -= suite.minutes), true))
}

if (isMain(import.meta.url))
  main(async () => {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { minutes: { type: 'string' } } })
    const minutes = values.minutes === undefined ? Infinity : Number(values.minutes)
    if (Number.isNaN(minutes)) throw new Trouble(`--minutes is a number, not ${values.minutes}`)
    const unknown = positionals.find((word) => !LONG.some(({ name }) => name.includes(word)))
    if (unknown)
      throw new Trouble(`there is no long test ${unknown}; there are ${LONG.map(({ name }) => name).join('; ')}`)
    const there = LONG.filter(({ needs, name, lack }) => !needs || needs() || say(`${name}: ${lack}`))
    const chosen = fitting(
      there.filter(({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word))),
      minutes,
    )
    for (const { name } of LONG) if (!chosen.some((suite) => suite.name === name)) say(`not now: ${name}`)
    if (chosen.length) await buildAnyWeight({ purpose: 'test' })
    const results = []
    for (const { name, work } of chosen) {
      say(`\n==== ${name} ====`)
      const began = performance.now()
      const failure = await work().then(
        () => undefined,
        (error) => error,
      )
      if (failure) process.stderr.write(`${failure instanceof Trouble ? failure.message : failure.stack}\n`)
      results.push({ name, how: failure ? 'FAILED' : 'passed', time: seconds(began) })
    }
    for (const { name, how, time } of results) say(`  ${name.padEnd(46)}${how.padEnd(9)}${time.padStart(10)}`)
    return results.some(({ how }) => how === 'FAILED') ? 1 : 0
  })
