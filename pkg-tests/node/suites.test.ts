// Tests how the suites are run: their order, how long each took, and which of the long ones fit into a time.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { sideBySide, Turns, type Job } from '../../scripts/lanes.mjs'
import { LONG, fitting } from '../../scripts/test-long.mjs'
import { failuresOf, timesOf } from '../../scripts/suites.mjs'
import { repository } from './tarball.js'

it('the times of files are read from the report, and half a report is ignored', () => {
  const report = JSON.stringify({
    testResults: [{ name: join(repository, 'pkg-tests/node/suites.test.ts'), startTime: 1000, endTime: 3500 }],
  })
  expect(timesOf(report, 'node')).toEqual([{ file: 'pkg-tests/node/suites.test.ts, node', time: 2500 }])
  expect(timesOf(report.slice(0, 20), 'node')).toEqual([])
  expect(timesOf(undefined, 'node')).toEqual([])
})

it('those of the long suites run that fit into the time, one after the other', () => {
  const suites = [
    { name: 'a', minutes: 5 },
    { name: 'b', minutes: 30 },
    { name: 'c', minutes: 4 },
  ]
  expect(fitting(suites, 10).map(({ name }) => name)).toEqual(['a', 'c'])
  expect(fitting(suites, 3)).toEqual([])
  expect(fitting(LONG, Infinity)).toEqual(LONG)
})

it('suites run side by side in their order, but never two that need the same thing', async () => {
  const log: string[] = []
  const ends = new Map<string, () => void>()
  let built = false
  const jobs: Job[] = [
    { name: 'build', takes: 'the compiler' },
    { name: 'first', ready: () => built },
    { name: 'compiles', takes: 'the compiler' },
    { name: 'free' },
    { name: 'last', ready: () => built },
  ]
  const all = sideBySide(jobs, 2, ({ name }) => {
    log.push(name)
    return new Promise<void>((resolve) => ends.set(name, resolve))
  })
  const end = async (name: string) => {
    ends.get(name)!()
    await new Promise(setImmediate)
    return log.splice(0)
  }
  // `first` waits for the build. `compiles` waits, because the build takes what it needs.
  expect(log.splice(0)).toEqual(['build', 'free'])
  expect(await end('free')).toEqual([])
  built = true
  expect(await end('build')).toEqual(['first', 'compiles'])
  expect(await end('first')).toEqual(['last'])
  await end('compiles')
  await end('last')
  await all
  await expect(sideBySide([{ name: 'never', ready: () => false }], 2, async () => {})).rejects.toThrow(
    'nothing runs that these wait for: never',
  )
})

it('one of several suites is printed as it runs, the others when they have ended', () => {
  let heard = ''
  const turns = new Turns((text) => (heard += text))
  const [a, b, c] = [turns.voice(), turns.voice(), turns.voice()]
  a.say('a1 ')
  b.say('b1 ')
  c.say('c1 ')
  c.end()
  a.say('a2 ')
  expect(heard).toBe('a1 a2 ')
  a.end()
  expect(heard).toBe('a1 a2 b1 ')
  b.say('b2 ')
  b.end()
  expect(heard).toBe('a1 a2 b1 b2 c1 ')
  const [d, e] = [turns.voice(), turns.voice()]
  d.say('d1 ')
  e.say('e1 ')
  turns.all()
  expect(heard).toBe('a1 a2 b1 b2 c1 d1 e1 ')
})

it('no test waits for a fixed time in a page: it waits for an event', () => {
  const tests = execFileSync('git', ['ls-files', 'pkg-tests', 'www/tests'], { cwd: repository, encoding: 'utf8' })
    .split('\n')
    .filter((path) => /\.(ts|mjs)$/.test(path) && path !== 'pkg-tests/node/suites.test.ts')
  expect(tests.filter((path) => readFileSync(join(repository, path), 'utf8').includes('waitForTimeout'))).toEqual([])
})

it('tells which tests failed', () => {
  const file = fileURLToPath(import.meta.url)
  const failed = { fullName: 'adds', status: 'failed', failureMessages: ['\u001b[31mError: 3\u001b[0m\n  at x'] }
  const passed = { fullName: 'goes on', status: 'passed', failureMessages: [] }
  const report = (results: object[]) => JSON.stringify({ testResults: results })
  expect(failuresOf(report([{ name: file, message: '', assertionResults: [passed, failed] }]), 'node')).toEqual([
    'pkg-tests/node/suites.test.ts, node: adds\n    Error: 3\n      at x',
  ])
  expect(failuresOf(report([{ name: file, message: 'no such import', assertionResults: [] }]), 'node')).toEqual([
    'pkg-tests/node/suites.test.ts, node: the file itself\n    no such import',
  ])
  expect(failuresOf(undefined, 'node')).toEqual([])
})
