// `npm run bench`: ours beside what else searches vectors in JavaScript, and beside native nidus, on this machine.
//   --rows 1000,20000,100000   --input uniform,clustered,real   --data DIR (real rows)   --runtime node|chromium
//   --only nidus,hnswlib,...   --quick   --million   --patience SECONDS (for one build)   --readme   --out DIR
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, platform, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { installBrowsers } from '../scripts/browsers-install.mjs'
import { present } from '../scripts/browsers.mjs'
import { buildAnyWeight } from '../scripts/build.mjs'
import { at, main, readJson, run, say, sha, step, Trouble, writeFile } from '../scripts/lib.mjs'
import { chosen, ENGINES } from './engines.mjs'
import { BLOCK, SYNTHETIC } from './input.mjs'

const here = (...parts) => join(fileURLToPath(new URL('.', import.meta.url)), ...parts)
const list = (text) => text?.split(',').filter(Boolean)

function optionsOf(args) {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string' },
      input: { type: 'string' },
      data: { type: 'string' },
      runtime: { type: 'string' },
      only: { type: 'string' },
      out: { type: 'string' },
      patience: { type: 'string' },
      quick: { type: 'boolean' },
      million: { type: 'boolean' },
      readme: { type: 'boolean' },
    },
  })
  const { quick = false } = values
  const options = {
    ...values,
    rows: (list(values.rows) ?? (quick ? ['1000', '5000'] : ['1000', '20000', '100000']))
      .map(Number)
      .sort((a, b) => a - b),
    inputs: list(values.input) ?? [...(quick ? ['uniform'] : SYNTHETIC), ...(values.data ? ['real'] : [])],
    runtimes: list(values.runtime) ?? ['node', 'chromium'],
    only: list(values.only),
    patience: 1000 * Number(values.patience ?? (quick ? 60 : 400)),
    rounds: quick ? 3 : 5,
    builds: quick ? 1 : 3,
    queries: quick ? 60 : 200,
    turn: quick ? 500 : 1500,
    out: values.out ? resolve(values.out) : here('results'),
  }
  if (!options.rows.every((rows) => Number.isInteger(rows) && rows >= 1000))
    throw new Trouble('--rows: whole numbers from 1000, with commas between')
  const unknown = (given, known, name) => {
    const one = given?.find((word) => !known.some((good) => good === word || good.startsWith(`${word}-`)))
    if (one) throw new Trouble(`--${name}: ${one} is none of ${known.join(', ')}`)
  }
  unknown(
    options.only,
    ENGINES.map(({ id }) => id),
    'only',
  )
  unknown(options.inputs, [...SYNTHETIC, 'real'], 'input')
  unknown(options.runtimes, ['node', 'chromium'], 'runtime')
  if (options.inputs.includes('real') && !options.data)
    throw new Trouble('--input real: --data says where the rows are')
  return options
}

/**
 * Installs the peers from their own lock file, only for the bench. Their install scripts are not run. All are optional:
 * if one cannot be installed, its row says so.
 */
async function installPeers() {
  const stamp = here('node_modules/.nidus-lock')
  const wanted = sha(readFileSync(here('package-lock.json')), process.version)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const { code, output } = await step('npm ci of the peers', () =>
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here(), quiet: true, mayFail: true }),
  )
  if (code === 0) writeFile(stamp, wanted)
  else say(`! npm could not install the peers: ${output.trim().split('\n').at(-1)}`)
}

async function setUp(options) {
  await buildAnyWeight()
  await installPeers()
  if (options.runtimes.includes('chromium') && !present().chromium)
    await installBrowsers().catch((error) => say(`! ${error.message}`))
}

function git(...args) {
  try {
    return execFileSync('git', args, { cwd: at(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

function machine(options) {
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
    quick: !!options.quick,
    rounds: options.rounds,
  }
}

main(async () => {
  const options = optionsOf(process.argv.slice(2))
  await setUp(options)
  // These modules import the peers, so they are loaded only now.
  const [
    { measure },
    { curve, downloads, durability, filterGrid, million, modes },
    { real, scratch, synthetic },
    { makeWall },
    { report },
    { node },
  ] = await Promise.all(
    ['harness', 'extra', 'inputs', 'wall', 'report/report', 'channels/node'].map((name) => import(`./${name}.mjs`)),
  )
  const wall = await makeWall(scratch('wall.wasm'))
  const most = options.rows.at(-1)
  const inputs = await step('inputs', () =>
    options.inputs.map((name) => (name === 'real' ? real(options.data, most) : synthetic(name, most))),
  )
  // For the million rows, only the queries are in a file.
  const many = options.million && synthetic('uniform', BLOCK, 'million')
  const files = new Map([...inputs, ...(many ? [many] : [])].flatMap(({ files }) => files))
  const engines = chosen(options.only)
  const results = {
    machine: machine(options),
    tables: [],
    curves: [],
    durable: [],
    modes: [],
    filters: [],
    millions: [],
    downloads: [],
  }
  const rowsOf = (runtime) => results.tables.filter((table) => table.runtime === runtime).flatMap(({ rows }) => rows)

  for (const name of options.runtimes) {
    let runtime
    try {
      runtime =
        name === 'node' ? node({ wall }) : await (await import('./channels/chromium.mjs')).chromium({ wall, files })
    } catch (error) {
      say(`! ${name} cannot be had: ${String(error.message).split('\n')[0]}`)
      results.tables.push({ runtime: name, failed: String(error.message).split('\n')[0], rows: [] })
      continue
    }
    if (runtime.version) results.machine.chromium = runtime.version
    try {
      for (const input of inputs) {
        const earlier = []
        for (const rows of options.rows) {
          say(`\n== ${name}, ${input.name}, ${rows} rows`)
          const here = engines.filter(({ native }) => !native || name === 'node')
          const measured = await measure({ runtime, engines: here, input, rows, options, earlier })
          earlier.push(...measured)
          results.tables.push({ runtime: name, input: input.name, title: input.title, size: rows, rows: measured })
        }
      }
      const [first] = inputs
      if (engines.some(({ id }) => id === 'nidus')) {
        results.curves.push({
          runtime: name,
          input: first.name,
          ...(await step('cost curves', () => curve(runtime, first, most, options.quick ? 20 : 40))),
        })
        for (const input of inputs) {
          results.modes.push({
            runtime: name,
            input: input.title,
            size: most,
            rows: await step(`full and compact memory, workers, ${input.name}`, () =>
              modes(runtime, input, most, options.quick ? 2 : 5),
            ),
          })
        }
        for (const input of name === 'node' ? inputs.filter(({ kind }) => kind !== 'clustered') : []) {
          results.filters.push({
            input: input.title,
            size: most,
            cells: await step(`filters, ${input.name}`, () => filterGrid(input, most)),
          })
        }
        for (const rows of options.rows.slice(-2)) {
          results.durable.push({
            runtime: name,
            storage: name === 'node' ? 'fs' : 'opfs',
            size: rows,
            ...(await step(`durable inserts, ${rows} rows`, () =>
              durability(runtime, first, rows, options.quick ? 1 : 3),
            )),
          })
        }
        if (options.million)
          results.millions.push({ runtime: name, ...(await step('a million rows', () => million(runtime, many))) })
      }
      if (runtime.downloads) results.downloads = await downloads(runtime, rowsOf(name))
    } finally {
      await runtime.close()
    }
  }
  if (results.downloads.length === 0) results.downloads = await downloads({}, rowsOf('node'))
  await report(results, { out: options.out, readme: options.readme && at('README.md') })
})
