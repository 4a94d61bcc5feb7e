// `npm run build`: makes dist/ with the wasm core, the JavaScript around it and the types.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ALONE, bundle, GROUPS, LATER } from './bundle.mjs'
import {
  at,
  filesUnder,
  hashFiles,
  isMain,
  locked,
  main,
  readJson,
  run,
  say,
  seconds,
  sha,
  step,
  Trouble,
  writeFile,
} from './lib.mjs'
import { namesOf, notWithin, renameInWasm } from './names.mjs'
import { leaveSeed, takeSeed } from './seed.mjs'
import { PART_NAMES, split } from './split.mjs'
import { setUp, wasmBindgenDir } from './setup.mjs'
import { reportSizes, TooLarge } from './sizes.mjs'
import { TARGET, toolchain, wasmFlags } from './toolchain.mjs'

const made = (...parts) => at('target/nidus-wasm', ...parts)

/**
 * The wasm features that the module may use. Every supported browser has them. They are rustc's own defaults and SIMD.
 */
const FEATURES = [
  'simd',
  'bulk-memory',
  'bulk-memory-opt',
  'nontrapping-float-to-int',
  'sign-ext',
  'mutable-globals',
  'reference-types',
  'multivalue',
]

const WANTED = [
  ...[...Object.values(GROUPS).flat(), ...ALONE, 'inline', ...Object.keys(LATER)].map((name) => `${name}.js`),
  'index.d.ts',
  'segment.d.ts',
  'durable-object.d.ts',
]

/** Does the work only if its inputs have changed since it last succeeded, or if its output is missing. */
async function when(name, inputs, outputs, work) {
  const stamps = () => readJson(made('stamps.json')) ?? {}
  const fresh = () => sha(inputs, ...outputs.map((path) => hashFiles('', [path])))
  if (outputs.every((path) => existsSync(path)) && stamps()[name] === fresh()) return
  await step(name, work)
  // Several may have begun before one ends, so the stamps are read again.
  writeFile(made('stamps.json'), JSON.stringify({ ...stamps(), [name]: fresh() }))
}

/** Arguments for cargo that leave out a part of the crate's default features. */
const PART = ['--no-default-features', '--features', 'bindings']
const RELAXED = ['--features', 'relaxed-simd']
/**
 * Four modules are made from one source. Most runtimes load a relaxed module, which needs instructions that some
 * runtimes do not have. An ordinary page loads a small module, with only what opening, inserting and searching need.
 */
const MODULES = {
  'nidus.wasm': [],
  'nidus-relaxed.wasm': RELAXED,
  'nidus-page.wasm': PART,
  'nidus-page-relaxed.wasm': [...PART, ...RELAXED],
}

/**
 * A page loads parts in place of its module: nidus-first.wasm, and others when they are needed (see split.mjs). The
 * complete module is for those who pass one file of their choice.
 */
const PARTS = {
  'nidus-page.wasm': { variant: 'plain', behind: '', complete: true },
  'nidus-page-relaxed.wasm': { variant: 'relaxed', behind: '-relaxed', complete: false },
}

/** The module that finds words. It has a glue of its own. */
const TEXT = 'nidus-text.wasm'
const TEXT_FEATURES = ['--no-default-features', '--features', 'text-bindings']

async function compile({ wasm }, name) {
  const sources = [
    ...filesUnder(at('src'), (path) => path.endsWith('.rs')).map((path) => `src/${path}`),
    'Cargo.toml',
    'Cargo.lock',
  ]
  const { released } = wasm
  const flags = wasmFlags(wasm, released.rustc)
  const output = made('compiled', name)
  const args = [
    ...wasm.select,
    'build',
    '--locked',
    '--release',
    '--lib',
    '--target',
    TARGET,
    ...wasm.flags,
    ...released.cargo,
    ...(MODULES[name] ?? TEXT_FEATURES),
  ]
  const key = sha(wasm.id, flags, readFileSync(at('Cargo.lock'))).slice(0, 16)
  await when(`cargo build of ${name}`, sha(hashFiles(at(), sources), flags, wasm.id, ...args), [output], async () => {
    takeSeed(key)
    // The encoded form takes precedence over a RUSTFLAGS that the user may have set. So everyone gets the same module.
    await run(wasm.cargo, args, {
      env: { ...wasm.env, CARGO_ENCODED_RUSTFLAGS: flags, CARGO_TARGET_DIR: at('target') },
    })
    // cargo writes every module to the same path, so each is copied before the next one is built.
    writeFile(output, readFileSync(at('target', TARGET, 'release/nidus_wasm.wasm')))
    leaveSeed(key)
  })
  return output
}

async function optimise(compiled, name) {
  const bindgen = join(wasmBindgenDir(), process.platform === 'win32' ? 'wasm-bindgen.exe' : 'wasm-bindgen')
  const options = [
    '--target',
    'web',
    '--no-typescript',
    '--omit-default-module-path',
    '--remove-producers-section',
    // The names tell where to split.
    ...(name in PARTS ? [] : ['--remove-name-section']),
  ]
  const folder = made(`bound-${name}`)
  const glue = join(folder, 'core.js')
  const raw = join(folder, 'core_bg.wasm')
  await when(`wasm-bindgen of ${name}`, sha(readFileSync(compiled), bindgen, ...options), [glue, raw], () =>
    run(bindgen, [...options, '--out-dir', folder, '--out-name', 'core', compiled]),
  )
  const features = [...FEATURES, ...(name.includes('relaxed') ? ['relaxed-simd'] : [])].map(
    (feature) => `--enable-${feature}`,
  )
  // `--low-memory-unused` lets wasm-opt assume that nothing uses the first 1,024 bytes of memory. Only the far end of
  // the stack is there.
  const passes = [
    '-O3',
    '--converge',
    '--low-memory-unused',
    ...features,
    '--strip-debug',
    '--strip-producers',
    '--strip-target-features',
  ]
  const version = readFileSync(at('node_modules/binaryen/package.json'))
  const smaller = async (raw, name) => {
    const small = made(name)
    await when(`wasm-opt of ${name}`, sha(readFileSync(raw), version, ...passes), [small], () =>
      run(process.execPath, [at('node_modules/binaryen/bin/wasm-opt'), raw, ...passes, '-o', small]),
    )
    return { name, wasm: small }
  }
  const parts = PARTS[name]
  if (!parts) return { glue, made: [await smaller(raw, name)] }
  const pathOf = (part) => join(folder, `${part}.wasm`)
  const splitter = readFileSync(at('scripts/split.mjs'))
  await when(`split of ${name}`, sha(readFileSync(raw), splitter, version), PART_NAMES.map(pathOf), async () => {
    const bytes = await split(readFileSync(raw), parts.variant)
    for (const part of PART_NAMES) writeFile(pathOf(part), bytes[part])
  })
  const all = parts.complete ? [await smaller(raw, name)] : []
  for (const part of PART_NAMES) all.push(await smaller(pathOf(part), `nidus-${part}${parts.behind}.wasm`))
  return { glue, made: all }
}

async function allModules(tools) {
  // cargo compiles one module after the other. Meanwhile those before are made smaller, which takes one processor.
  let before = Promise.resolve()
  const begun = [...Object.keys(MODULES), TEXT].map((name) => {
    const linked = before.then(() => compile(tools, name))
    before = linked
    return linked.then((path) => optimise(path, name))
  })
  const compiled = await Promise.all(begun)
  const text = compiled.pop()
  // The glue of the first module is used for all.
  const [{ glue }, ...others] = compiled
  for (const other of others) {
    const missing = notWithin(readFileSync(other.glue, 'utf8'), readFileSync(glue, 'utf8'))
    if (missing)
      throw new Trouble(
        `wasm-bindgen made another glue for ${other.made[0].name}, with ${missing}: its imports and exports must be ` +
          `among those of ${compiled[0].made[0].name}`,
      )
  }
  return { glue, compiled, text }
}

/** Writes only those files of dist/ that differ, and removes files that do not belong there any more. */
function writeDist(files) {
  for (const [name, bytes] of files) writeFile(at('dist', name), bytes)
  for (const name of filesUnder(at('dist'))) if (!files.has(name)) rmSync(at('dist', name))
}

const renamed = (wasm, glue) => renameInWasm(readFileSync(wasm), namesOf(readFileSync(glue, 'utf8')))

export async function build({ purpose = 'build' } = {}) {
  const start = performance.now()
  await setUp(purpose)
  await locked(made('.lock'), async () => {
    const tools = await toolchain()
    const { glue, compiled, text } = await allModules(tools)
    const modules = new Map([
      ...compiled.flatMap(({ made }) => made).map(({ name, wasm }) => [name, renamed(wasm, glue)]),
      ...text.made.map(({ name, wasm }) => [name, renamed(wasm, text.glue)]),
    ])
    const { files, pages } = await bundle({ core: glue, text: text.glue }, modules.get('nidus.wasm'), modules.get(TEXT))
    for (const [name, bytes] of modules) files.set(name, bytes)
    for (const name of filesUnder(at('src/ts/types'), (path) => path.endsWith('.d.ts')))
      files.set(name, readFileSync(at('src/ts/types', name)))
    writeDist(files)
    // This check comes last. So the other files can be tried while some sources are not yet written.
    const missing = WANTED.filter((name) => !files.has(name))
    if (missing.length) throw new Trouble(`Sources are missing for dist/: ${missing.join(', ')}`)
    reportSizes(files, pages, { released: tools.wasm.released.rustc.length > 0 })
  })
  say(`build: ${seconds(start)}`)
}

/** Builds like `npm run build`. But if a page is too large, it only prints that, and does not fail. */
export async function buildAnyWeight(options) {
  await build(options).catch((error) => {
    if (!(error instanceof TooLarge)) throw error
    say(`! ${error.message}`)
  })
}

if (isMain(import.meta.url)) main(() => build())
