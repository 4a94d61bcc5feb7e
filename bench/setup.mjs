// What a run needs before it can measure: the built package, the other packages, a browser. Also the facts of the
// machine that each file of results records.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, platform, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installBrowsers } from '../scripts/browsers-install.mjs'
import { present } from '../scripts/browsers.mjs'
import { buildAnyWeight } from '../scripts/build.mjs'
import { at, readJson, run, say, sha, step, Trouble, writeFile } from '../scripts/lib.mjs'

const here = (...parts) => join(fileURLToPath(new URL('.', import.meta.url)), ...parts)

/**
 * Installs the chart library and, with `peers`, the other packages that are measured. They have a lock file of their
 * own, so only benchmarks install them. Their install scripts are not run. If a package cannot be installed, its row
 * says so.
 */
export async function install({ peers }) {
  const stamp = here('node_modules/.nidus-lock')
  const wanted = sha(readFileSync(here('package-lock.json')), process.version)
  const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
  if (installed === wanted || (!peers && installed === `${wanted} charts`)) return
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', ...(peers ? [] : ['--omit=optional'])]
  const { code, output } = await step(`npm ci of ${peers ? 'the packages to compare with' : 'the chart library'}`, () =>
    run('npm', ['ci', ...flags], { cwd: here(), quiet: true, mayFail: true }),
  )
  if (code === 0) writeFile(stamp, peers ? wanted : `${wanted} charts`)
  else say(`! npm could not install the packages: ${output.trim().split('\n').at(-1)}`)
}

export async function setUp({ cases, peers, runtimes, built }) {
  if (!built) await buildAnyWeight()
  else if (!existsSync(at('dist/node.js'))) throw new Trouble('--built: there is no dist/. Leave the option out')
  const compared = cases.includes('search') || cases.includes('download')
  await install({ peers: compared && peers.some(({ package: name }) => name) })
  if (runtimes.includes('chromium') && !present().chromium)
    await installBrowsers().catch((error) => say(`! ${error.message}`))
}

function git(...args) {
  try {
    return execFileSync('git', args, { cwd: at(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/** Returns the facts of this run: the machine, the versions, the date. */
export function runFacts({ quick, rounds }) {
  const changed = git('status', '--porcelain', '--', 'src', 'Cargo.lock')
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: Math.round(totalmem() / 2 ** 30),
    platform: platform(),
    node: process.versions.node,
    v8: process.versions.v8,
    date: new Date().toISOString().slice(0, 10),
    commit: `${git('rev-parse', '--short', 'HEAD') ?? 'unknown'}${changed ? ' and changes' : ''}`,
    version: readJson(at('package.json')).version,
    peers: Object.fromEntries(
      Object.keys(readJson(here('package.json')).optionalDependencies).map((name) => [
        name,
        readJson(here('node_modules', name, 'package.json'))?.version ?? 'not installed',
      ]),
    ),
    quick,
    rounds,
  }
}
