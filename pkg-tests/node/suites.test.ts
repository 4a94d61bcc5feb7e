// How the suites are run: what took how long, and which of the long ones fit.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LONG, fitting } from '../../scripts/test-long.mjs'
import { timesOf } from '../../scripts/test.mjs'
import { repository } from './tarball.js'

it('times of files come from the report; half a report is none', () => {
  const report = JSON.stringify({ testResults: [{ name: join(repository, 'pkg-tests/node/suites.test.ts'), startTime: 1000, endTime: 3500 }] })
  expect(timesOf(report, 'node')).toEqual([{ file: 'pkg-tests/node/suites.test.ts, node', time: 2500 }])
  expect(timesOf(report.slice(0, 20), 'node')).toEqual([])
  expect(timesOf(undefined, 'node')).toEqual([])
})

it('of the long ones those run that fit, one behind the other', () => {
  const suites = [{ name: 'a', minutes: 5 }, { name: 'b', minutes: 30 }, { name: 'c', minutes: 4 }]
  expect(fitting(suites, 10).map(({ name }) => name)).toEqual(['a', 'c'])
  expect(fitting(suites, 3)).toEqual([])
  expect(fitting(LONG, Infinity)).toEqual(LONG)
})

it('no test waits for a time in a page: it waits for what it means', () => {
  const tests = execFileSync('git', ['ls-files', 'pkg-tests', 'www/tests'], { cwd: repository, encoding: 'utf8' }).split('\n').filter((path) => /\.(ts|mjs)$/.test(path) && path !== 'pkg-tests/node/suites.test.ts')
  expect(tests.filter((path) => readFileSync(join(repository, path), 'utf8').includes('waitForTimeout'))).toEqual([])
})
