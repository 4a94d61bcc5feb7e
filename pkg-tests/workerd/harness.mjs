// Runs workerd itself with the built package. `bundle` makes a worker as wrangler would, and `serve` runs it on a
// directory.
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const repository = fileURLToPath(new URL('../../', import.meta.url))
/** A plugin of esbuild that resolves this package by the `exports` of its manifest. */
const own = (folder) => ({
  name: 'nidus-wasm',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^nidus-wasm($|\/)/ }, ({ path, pluginData }) => {
      if (pluginData === 'own') return undefined
      const target = exportOf(folder, path.replace('nidus-wasm', '.'))
      return { path: join(folder, target) }
    })
    onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }))
  },
})

const require = createRequire(import.meta.url)
const program = require('workerd').default
/** Returns the file that the manifest names for workerd. */
function exportOf(folder, name) {
  const pick = (target) =>
    typeof target === 'string'
      ? target
      : pick(Object.entries(target).find(([condition]) => ['workerd', 'default'].includes(condition))[1])
  return pick(require(join(folder, 'package.json')).exports[name])
}

/**
 * Writes worker.js and the wasm files into `directory`. `entry` is the path of a file, or the source itself. `folder`
 * has the package.
 */
export async function bundle(directory, entry, { folder = repository, alias = {} } = {}) {
  if (!existsSync(join(folder, 'dist/workerd.js'))) throw new Error('the package is not built: npm run build')
  mkdirSync(directory, { recursive: true })
  await build({
    ...(existsSync(entry) ? { entryPoints: [entry] } : { stdin: { contents: entry, resolveDir: directory } }),
    outfile: join(directory, 'worker.js'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    external: ['cloudflare:*'],
    logLevel: 'warning',
    alias,
    plugins: [own(folder)],
  })
  // An earlier version of the package has no nidus-text.wasm.
  for (const name of ['nidus.wasm', 'nidus-text.wasm'])
    if (existsSync(join(folder, 'dist', name))) copyFileSync(join(folder, 'dist', name), join(directory, name))
}

const wasmModule = (name) => `(name = "${name}", wasm = embed "${name}")`
const namespace = ([name, sql]) => `(className = "${name}", uniqueKey = "${name}", enableSql = ${sql})`
const binding = (name) => `(name = "${name.toUpperCase()}", durableObjectNamespace = "${name}")`
const variable = ([name, text]) => `(name = "${name}", text = ${JSON.stringify(text)})`
const list = (items) => `[\n    ${items.join(',\n    ')}\n  ]`
const config = (modules, objects, date, flags, vars) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .main), (name = "disk", disk = (path = "disk", writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ]
);
const main :Workerd.Worker = (
  modules = ${list(['(name = "worker.js", esModule = embed "worker.js")', ...modules.map(wasmModule)])},
  compatibilityDate = "${date}",
  compatibilityFlags = ${list(flags.map((flag) => JSON.stringify(flag)))},
  durableObjectNamespaces = ${list(Object.entries(objects).map(namespace))},
  durableObjectStorage = (localDisk = "disk"),
  bindings = ${list([...Object.keys(objects).map(binding), ...Object.entries(vars).map(variable)])}
);
`

/**
 * Runs what `bundle` wrote, and resolves when it listens. `objects` says for each class whether it has SQL. The data of
 * the objects is in `directory`/disk. `vars` are texts in the environment.
 */
export async function serve(
  directory,
  { objects = { Store: true }, date = '2025-01-01', flags = [], vars = {}, inspect = false } = {},
) {
  mkdirSync(join(directory, 'disk'), { recursive: true })
  const modules = readdirSync(directory).filter((name) => name.endsWith('.wasm'))
  writeFileSync(join(directory, 'config.capnp'), config(modules, objects, date, flags, vars))
  const child = spawn(
    program,
    ['serve', '--control-fd=3', ...(inspect ? ['--inspector-addr=127.0.0.1:0'] : []), 'config.capnp'],
    { cwd: directory, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
  )
  // workerd must not outlive the process that started it.
  const last = () => child.kill('SIGKILL')
  process.once('exit', last)
  const exited = new Promise((resolve) => child.once('exit', resolve)).then(() => process.off('exit', last))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const end = async (signal) => {
    child.kill(signal)
    await exited
  }
  let inspector
  const port = await new Promise((resolve, reject) => {
    let told = ''
    child.stdio[3].setEncoding('utf8').on('data', (text) => {
      told += text
      inspector = /"event":"listen-inspector".*"port":(\d+)/.exec(told)?.[1]
      const listening = /"event":"listen",.*"port":(\d+)/.exec(told)
      if (listening && (inspector || !inspect)) resolve(Number(listening[1]))
    })
    child.once('error', reject)
    void exited.then(() => reject(new Error(`workerd did not start: ${output}`)))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    inspector: inspector && `http://127.0.0.1:${inspector}`,
    output: () => output,
    exited,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
}
