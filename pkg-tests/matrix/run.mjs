// `npm run test:matrix [-- NAME ...]`: installs the packed package into a new project for each cell and uses it.
// `--core`: only the few cells that `npm test` runs. `--docs`: writes the table into docs/compatibility.md.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { at, main, run, say, seconds, Trouble, writeBetween, writeFile } from '../../scripts/lib.mjs'
import { pack } from '../common/pack.mjs'
import { serveFolder } from '../common/serve.mjs'
import { CELLS } from './cells.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const VERSIONS = JSON.parse(readFileSync(here('versions.json'), 'utf8'))
const PLATFORM = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`

/** Returns a user's environment, without the variables that npm set for this process. */
const clean = (more = {}) => ({
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter((key) => /^(npm_|node_|vite)/i.test(key))
      .map((key) => [key, undefined]),
  ),
  ...more,
})

/** Starts a program that keeps running, and waits until its output matches `ready`. */
function background(cwd, ready, ...args) {
  const { env = {} } = typeof args[0] === 'object' ? args.shift() : {}
  const [command, ...rest] = args.map((arg) => arg.replaceAll('PLATFORM', PLATFORM))
  const child = spawn(command, rest, { cwd, env: { ...process.env, ...clean(env) }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const over = new Promise((resolve) => child.on('close', resolve))
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Trouble(`${command} ${rest.join(' ')} is not ready: ${output}`)), 600_000)
    const hear = (bytes) => {
      output += bytes
      // The codes of colours are removed, because they may be in the middle of an address.
      const found = ready.exec(output.replace(/\x1b\[[\d;]*m/g, ''))
      if (!found) return
      clearTimeout(timer)
      resolve({ found: found[0], stop: () => (child.kill('SIGKILL'), over) })
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    over.then(() => reject(new Trouble(`${command} ${rest.join(' ')} ended: ${output}`)))
  })
}

async function attempt(cell, folder, tarball) {
  const dir = mkdtempSync(join(folder, 'cell-'))
  const dependencies = Object.fromEntries(
    Object.entries(cell.install).map(([name, version]) => [name.replace('PLATFORM', PLATFORM), VERSIONS[version]]),
  )
  writeFileSync(
    join(dir, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: { ...dependencies, 'nidus-wasm': `file:${tarball}` },
    }),
  )
  const options = { cwd: dir, quiet: true, timeout: (cell.minutes ?? 20) * 60_000 }
  // Install scripts are not run. Binaries for this platform come as optional dependencies without them.
  const installed = await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], {
    ...options,
    mayFail: true,
  })
  if (installed.code !== 0)
    throw new Trouble(`npm could not install: ${installed.output.trim().split('\n').slice(0, 3).join(' ')}`)
  const tools = {
    dir,
    tarball,
    serve: serveFolder,
    tool: (name) => at('node_modules/.bin', name),
    node24: join(dir, `node_modules/node-${PLATFORM}/bin/node`),
    background: (...args) => background(dir, ...args),
    async run(...args) {
      const { env = {} } = typeof args[0] === 'object' ? args.shift() : {}
      const [command, ...rest] = args.map((arg) => arg.replaceAll('PLATFORM', PLATFORM))
      return (
        await run(
          command.includes('node_modules/.bin') && !command.startsWith('/') ? join(dir, command) : command,
          rest,
          { ...options, env: clean(env) },
        )
      ).output.trim()
    },
  }
  try {
    return await cell.work(tools)
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

function table(results) {
  const lines = results.map(
    ({ name, how, setting }) => `| ${name} | ${how === 'passed' ? 'yes' : '**no**'} | ${setting ?? 'nothing'} |`,
  )
  return ['| where | works | what has to be set |', '| --- | --- | --- |', ...lines].join('\n')
}

main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { core: { type: 'boolean' }, docs: { type: 'boolean' } },
  })
  const chosen = CELLS.filter(({ name, core }) =>
    values.core
      ? core
      : positionals.length === 0 || positionals.some((word) => name.toLowerCase().includes(word.toLowerCase())),
  )
  if (chosen.length === 0) throw new Trouble('no cell has such a name')
  const folder = mkdtempSync(join(tmpdir(), 'nidus-matrix-'))
  const results = []
  try {
    const tarball = await pack(folder)
    const left = chosen.map((cell, n) => ({ cell, n }))
    await Promise.all(
      [0, 1].map(async () => {
        for (let next = left.shift(); next; next = left.shift()) {
          const { cell, n } = next
          const began = performance.now()
          const found = await attempt(cell, folder, tarball).catch(
            (error) => `${error instanceof Trouble ? error.message : error.stack}`,
          )
          const how = found === cell.wants ? 'passed' : 'FAILED'
          results[n] = { name: cell.name, how, ...(cell.setting && { setting: cell.setting }) }
          say(`${how.padEnd(7)} ${seconds(began).padStart(8)}  ${cell.name}`)
          if (how === 'FAILED') say(`        ${found.slice(-1500)}`)
        }
      }),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  if (chosen.length === CELLS.length) {
    writeFile(
      here('results.json'),
      `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), versions: VERSIONS, results }, null, 1)}\n`,
    )
    if (values.docs) writeBetween(at('docs/compatibility.md'), 'matrix', `\n${table(results)}\n`)
  }
  const failed = results.filter(({ how }) => how === 'FAILED').length
  say(`${results.length - failed} of ${results.length} passed`)
  return failed ? 1 : 0
})
