// `npm test`: sets up, builds, and runs every suite, or only the groups that are named: node scripts/test.mjs rust wasm
// types js kill matrix www lint
//   --at-once 1    one suite at a time (otherwise two, where there are two processors)
//   --suite NAME   only this suite, with the dist/ that is there
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { main, root, say, seconds, Trouble } from './lib.mjs'
import { heard, sideBySide, Turns } from './lanes.mjs'
import { setUp } from './setup.mjs'
import { TooLarge } from './sizes.mjs'
import { BUILD, failedIn, filesOf, SUITES } from './suites.mjs'

/** The number of characters of a failed suite's output that are printed again at the end. */
const LAST = 4000

/** The exit code of a suite whose build is too large. The build can still be tested. */
const TOO_LARGE = 3

async function alone(name) {
  const suite = [BUILD, ...SUITES].find((suite) => suite.name === name)
  if (!suite) throw new Trouble(`no such suite: ${name}`)
  await suite.work().catch((error) => {
    if (!(error instanceof TooLarge)) throw error
    process.stderr.write(`\n${error.message}\n`)
    process.exit(TOO_LARGE)
  })
}

main(async () => {
  const { values, positionals: groups } = parseArgs({
    allowPositionals: true,
    options: { 'at-once': { type: 'string' }, suite: { type: 'string' } },
  })
  if (values.suite) return alone(values.suite)
  const start = performance.now()
  const atOnce = values['at-once'] === undefined ? Math.min(2, availableParallelism()) : Number(values['at-once'])
  if (!Number.isInteger(atOnce) || atOnce < 1)
    throw new Trouble(`--at-once is a whole number from 1 on, not ${values['at-once']}`)
  const unknown = groups.filter((group) => !SUITES.some((suite) => suite.group === group))
  if (unknown.length) throw new Trouble(`no such group of tests: ${unknown.join(', ')}`)
  const chosen = [BUILD, ...SUITES.filter(({ group }) => groups.length === 0 || groups.includes(group))]
  await setUp('test')

  const turns = new Turns((text) => process.stdout.write(text))
  process.once('exit', () => turns.all())
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  const results = new Map()
  let built
  const attempt = async ({ name, needs, lack, unbuilt }) => {
    const { say, end: ended } = turns.voice()
    try {
      if (!unbuilt && !built) {
        // The build failed, so the files in dist/ are from other sources.
        return results.set(name, { how: 'NOT RUN: there is no build' })
      }
      if (needs && !needs()) {
        say(`\n!!!! ${name}: SKIPPED, ${lack} !!!!\n`)
        return results.set(name, { how: `SKIPPED: ${lack}` })
      }
      const began = performance.now()
      say(`\n==== ${name} ====\n`)
      let end = ''
      const env = { ...process.env, ...(process.stdout.isTTY && { FORCE_COLOR: '1' }) }
      const code = await heard(
        process.execPath,
        [fileURLToPath(import.meta.url), '--suite', name],
        { cwd: root, env },
        (text) => {
          end = (end + text).slice(-LAST)
          say(text)
        },
      )
      if (name === BUILD.name) built = code === 0 || code === TOO_LARGE
      results.set(name, { how: code === 0 ? 'passed' : 'FAILED', time: seconds(began), end })
      say(`==== ${name}: ${results.get(name).how}, ${results.get(name).time} ====\n`)
    } finally {
      ended()
    }
  }
  await sideBySide(
    chosen.map((suite) => ({ ...suite, ready: () => suite.unbuilt || built !== undefined })),
    atOnce,
    attempt,
  )

  say(`\nAll of it: ${seconds(start)}`)
  for (const { name } of chosen) {
    const { how, time = '' } = results.get(name)
    say(`  ${name.padEnd(36)}${how.padEnd(9)}${time.padStart(9)}`)
  }
  const slowest = chosen
    .flatMap(filesOf)
    .sort((a, b) => b.time - a.time)
    .slice(0, 20)
  if (slowest.length) say('\nThe slowest files of tests:')
  for (const { file, time } of slowest) say(`${`${(time / 1000).toFixed(1)} s`.padStart(9)}  ${file}`)
  for (const suite of chosen.filter(({ name }) => results.get(name).how === 'FAILED')) {
    const failed = failedIn(suite)
    say(`\n==== ${suite.name} FAILED ====`)
    say(failed.length ? failed.join('\n\n') : results.get(suite.name).end)
  }
  say('')
  const count = (wanted) => [...results.values()].filter(({ how }) => how === wanted).length
  say(`${count('passed')} passed, ${count('FAILED')} failed`)
  return count('FAILED') ? 1 : 0
})
