// Makes dist/: the wasm core, the JavaScript around it, the types. `npm run build`.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ALONE, bundle, GROUPS, LATER } from './bundle.mjs'
import { at, filesUnder, hashFiles, isMain, locked, main, readJson, run, say, seconds, sha, step, Trouble, writeFile } from './lib.mjs'
import { namesOf, notWithin, renameInWasm } from './names.mjs'
import { leaveSeed, takeSeed } from './seed.mjs'
import { setUp, wasmBindgenDir } from './setup.mjs'
import { reportSizes, TooLarge } from './sizes.mjs'
import { TARGET, toolchain, wasmFlags } from './toolchain.mjs'

const made = (...parts) => at('target/nidus-wasm', ...parts)

/** What the module may use, all of it in every supported browser; rustc's own defaults plus SIMD. */
const FEATURES = ['simd', 'bulk-memory', 'bulk-memory-opt', 'nontrapping-float-to-int', 'sign-ext', 'mutable-globals', 'reference-types', 'multivalue']

const WANTED = [...[...Object.values(GROUPS).flat(), ...ALONE, 'inline', ...Object.keys(LATER)].map((name) => `${name}.js`), 'index.d.ts', 'segment.d.ts', 'durable-object.d.ts']

/** Does the work only if its inputs changed since it last succeeded, or its output is gone. */
async function when(name, inputs, outputs, work) {
  const stamps = readJson(made('stamps.json')) ?? {}
  const fresh = () => sha(inputs, ...outputs.map((path) => hashFiles('', [path])))
  if (outputs.every((path) => existsSync(path)) && stamps[name] === fresh()) return
  await step(name, work)
  writeFile(made('stamps.json'), JSON.stringify({ ...stamps, [name]: fresh() }))
}

/** What cargo leaves out of the crate's defaults. */
const PART = ['--no-default-features', '--features', 'bindings']
const RELAXED = ['--features', 'relaxed-simd']
/** One source. Most runtimes take a relaxed one, which needs an instruction that not all have; a page takes one without what opening, inserting and searching do not need. */
const MODULES = { 'nidus.wasm': [], 'nidus-relaxed.wasm': RELAXED, 'nidus-page.wasm': PART, 'nidus-page-relaxed.wasm': [...PART, ...RELAXED] }

async function compile({ wasm }, name) {
  const sources = [...filesUnder(at('src'), (path) => path.endsWith('.rs')).map((path) => `src/${path}`), 'Cargo.toml', 'Cargo.lock']
  const { released } = wasm
  const flags = wasmFlags(wasm, released.rustc)
  const output = made('compiled', name)
  const args = [...wasm.select, 'build', '--locked', '--release', '--lib', '--target', TARGET, ...wasm.flags, ...released.cargo, ...MODULES[name]]
  const key = sha(wasm.id, flags, readFileSync(at('Cargo.lock'))).slice(0, 16)
  await when(`cargo build of ${name}`, sha(hashFiles(at(), sources), flags, wasm.id, ...args), [output], async () => {
    takeSeed(key)
    // The encoded form beats a RUSTFLAGS that the user may have set, so everyone gets the same module.
    await run(wasm.cargo, args, { env: { ...wasm.env, CARGO_ENCODED_RUSTFLAGS: flags, CARGO_TARGET_DIR: at('target') } })
    // cargo has one place for both.
    writeFile(output, readFileSync(at('target', TARGET, 'release/nidus_wasm.wasm')))
    leaveSeed(key)
  })
  return output
}

async function optimise(compiled, name) {
  const bindgen = join(wasmBindgenDir(), process.platform === 'win32' ? 'wasm-bindgen.exe' : 'wasm-bindgen')
  const options = ['--target', 'web', '--no-typescript', '--omit-default-module-path', '--remove-name-section', '--remove-producers-section']
  const folder = made(`bound-${name}`)
  const glue = join(folder, 'core.js')
  const raw = join(folder, 'core_bg.wasm')
  await when(`wasm-bindgen of ${name}`, sha(readFileSync(compiled), bindgen, ...options), [glue, raw], () =>
    run(bindgen, [...options, '--out-dir', folder, '--out-name', 'core', compiled]),
  )
  const small = made(name)
  const features = [...FEATURES, ...(name.includes('relaxed') ? ['relaxed-simd'] : [])].map((feature) => `--enable-${feature}`)
  // The lowest addresses are the stack's far end: an offset that is folded never begins below them.
  const passes = ['-O3', '--converge', '--low-memory-unused', ...features, '--strip-debug', '--strip-producers', '--strip-target-features']
  const version = readFileSync(at('node_modules/binaryen/package.json'))
  await when(`wasm-opt of ${name}`, sha(readFileSync(raw), version, ...passes), [small], () =>
    run(process.execPath, [at('node_modules/binaryen/bin/wasm-opt'), raw, ...passes, '-o', small]),
  )
  return { name, glue, wasm: small }
}

async function allModules(tools) {
  const compiled = []
  for (const name of Object.keys(MODULES)) compiled.push(await optimise(await compile(tools, name), name))
  // The first one's glue serves all.
  const [{ glue }, ...others] = compiled
  for (const other of others) {
    const missing = notWithin(readFileSync(other.glue, 'utf8'), readFileSync(glue, 'utf8'))
    if (missing) throw new Trouble(`wasm-bindgen made another glue for ${other.name}, with ${missing}: its imports and exports must be among those of ${compiled[0].name}`)
  }
  return { glue, compiled }
}

/** Everything in dist/ is written again only where it differs, and what no longer belongs there goes. */
function writeDist(files) {
  for (const [name, bytes] of files) writeFile(at('dist', name), bytes)
  for (const name of filesUnder(at('dist'))) if (!files.has(name)) rmSync(at('dist', name))
}

export async function build({ purpose = 'build' } = {}) {
  const start = performance.now()
  await setUp(purpose)
  await locked(made('.lock'), async () => {
    const tools = await toolchain()
    const { glue, compiled } = await allModules(tools)
    const names = namesOf(readFileSync(glue, 'utf8'))
    const modules = new Map(compiled.map(({ name, wasm }) => [name, renameInWasm(readFileSync(wasm), names)]))
    const { files, pages } = await bundle(glue, modules.get('nidus.wasm'))
    for (const [name, bytes] of modules) files.set(name, bytes)
    for (const name of filesUnder(at('src/ts/types'), (path) => path.endsWith('.d.ts'))) files.set(name, readFileSync(at('src/ts/types', name)))
    writeDist(files)
    // Refused only now: what there is can be tried while the rest is being written.
    const missing = WANTED.filter((name) => !files.has(name))
    if (missing.length) throw new Trouble(`Sources are missing for dist/: ${missing.join(', ')}`)
    reportSizes(files, pages, { released: tools.wasm.released.rustc.length > 0 })
  })
  say(`build: ${seconds(start)}`)
}

/** For who can do with a page that weighs too much: that is the matter of `npm run build` and `npm test`. */
export async function buildAnyWeight(options) {
  await build(options).catch((error) => {
    if (!(error instanceof TooLarge)) throw error
    say(`! ${error.message}`)
  })
}

if (isMain(import.meta.url)) main(() => build())
