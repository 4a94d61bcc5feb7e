// The JavaScript of dist/, by esbuild: entries that share chunks, and a worker in one piece.
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { at, Trouble } from './lib.mjs'
import { namesOf, renameInGlue } from './names.mjs'

/** Of a group the entries share chunks: an error that one throws is one of the other's. Across groups few have both, and chunks shared with more would be more; ./segment needs another wasm than a page's stores. */
export const GROUPS = { browser: ['browser'], segment: ['segment-browser'], slim: ['slim'], node: ['node', 'segment-node', 'shard-node', 'cli'], edge: ['workerd', 'segment-workerd', 'durable-object'], sharded: ['sharded'], langchain: ['langchain'] }
/** Started by URL: alone in its file, so that it costs one request and no bundler has to find its chunks. */
export const ALONE = ['worker', 'worker-opfs']
/** worker-opfs.js is worker.js without these: src/ts/lean.ts stands in for them. Two files that each are whole, since not every bundler lets a worker load parts of itself. */
const LEFT_OUT = ['engine/receive', 'engine/salvage', 'engine/shards', 'hosts/indexeddb', 'hosts/memory']
/** Loaded when it is first needed, by whichever entry, and each with copies of the few things it shares, so that what a page downloads is not cut up for them. */
export const LATER = { transfer: 'src/ts/transfer/index.ts', static: 'src/ts/static/index.ts', persistence: 'src/ts/persistence.ts', 'salvage-here': 'src/ts/salvage-here.ts' }
/**
 * On a disk, where nobody pays for names and lines: an uncaught error is readable there. It has its own copies of LATER, which are so as well. With maps, which
 * `node --enable-source-maps` and debuggers follow to the lines of src/ts.
 */
const READABLE = 'node'
const MAPS = { sourcemap: 'linked', sourcesContent: true }
/** What a page loads before it starts the worker. */
const PAGE = 'browser.js'
/** What it starts. */
const PAGES_WORKER = 'worker-opfs'

/**
 * The sources import the generated glue as ./core.js, where only its types are. Left out of it: `using`, which nothing here does and which keeps classes alive that
 * nobody uses; and, but for `Segment`, which its user may just drop, what frees an object with its wrapper: all others are freed by hand; a warning that is never due;
 * and what stands in for `encodeInto`, which is everywhere that has SIMD.
 */
const core = (glue) => ({
  name: 'core',
  setup(build) {
    build.onResolve({ filter: /(^|\/)core\.js$/ }, ({ importer }) => (importer.startsWith(at('src/ts')) ? { path: glue } : undefined))
    build.onLoad({ filter: /core\.js$/ }, ({ path }) => {
      if (path !== glue) return undefined
      const text = readFileSync(path, 'utf8')
      const contents = text
        .replace(/^if \(Symbol\.dispose\).*$/gm, '')
        .replace(/^ *(?!Segment)\w+Finalization\.(un)?register\(.*\);$/gm, '')
        .replace(/^ *console\.warn\('using deprecated.*$/gm, '')
        .replace(/^if \(!\('encodeInto' in \w+\)\) \{[^]*?^\}/m, '')
        .replaceAll('new FinalizationRegistry', '/* @__PURE__ */ new FinalizationRegistry')
      return { contents: renameInGlue(contents, namesOf(text)), loader: 'js' }
    })
  },
})

/** For inline.js: what else lies beside it, as it was made. */
const inline = (files) => ({
  name: 'inline',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^inline:/ }, ({ path }) => ({ path: path.slice('inline:'.length), namespace: 'inline' }))
    onLoad({ filter: /.*/, namespace: 'inline' }, ({ path }) => ({ contents: files.get(path), loader: path.endsWith('.wasm') ? 'binary' : 'text' }))
  },
})

const later = {
  name: 'later',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
      const name = kind === 'dynamic-import' && Object.keys(LATER).find((name) => join(resolveDir, path).replace(/\.js$/, '.ts') === at(LATER[name]))
      return name ? { path: `./${name}.js`, external: true } : undefined
    })
  },
}

const lean = {
  name: 'lean',
  setup({ onResolve }) {
    const left = new Set(LEFT_OUT.map((name) => at('src/ts', `${name}.ts`)))
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) => (left.has(join(resolveDir, path).replace(/\.js$/, '.ts')) ? { path: at('src/ts/lean.ts') } : undefined))
  },
}

/** { files: Map of name to bytes, pages: what each kind of page downloads besides the wasm, by a title } */
export async function bundle(glue, wasm) {
  const { build } = await import('esbuild')
  const options = {
    absWorkingDir: at(),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    // workerd knows a .wasm as a module.
    external: ['node:*', 'cloudflare:*', './nidus.wasm', '@langchain/*'],
    minify: true,
    legalComments: 'none',
    outdir: at('dist'),
    // The bytes go to dist/ only when all of it succeeded.
    write: false,
    metafile: true,
    logLevel: 'warning',
    plugins: [core(glue), later],
  }
  const paths = (names) => names.map((name) => at('src/ts/entry', `${name}.ts`)).filter((path) => existsSync(path))
  const groups = {}
  for (const [name, entries] of Object.entries(GROUPS)) groups[name] = await build({ ...options, entryPoints: paths(entries), splitting: true, chunkNames: 'chunk-[hash]', ...(name === READABLE && { minify: false, ...MAPS, plugins: [core(glue)] }) })
  const small = await build({ ...options, entryPoints: paths([PAGES_WORKER]), plugins: [core(glue), later, lean] })
  const alone = await build({ ...options, entryPoints: [...paths(ALONE.filter((name) => name !== PAGES_WORKER)), ...Object.entries(LATER).map(([name, path]) => ({ in: at(path), out: name }))] })

  const { [READABLE]: readable, ...others } = groups
  const files = await written({ outputFiles: [...Object.values(others), small, alone].flatMap(({ outputFiles }) => outputFiles) })
  for (const { path, contents } of readable.outputFiles) files.set(basename(path), Buffer.from(contents))
  for (const [name, text] of await written(await build({ ...options, entryPoints: paths(['inline']), plugins: [core(glue), later, inline(new Map([...files, ['nidus.wasm', wasm]]))] }))) files.set(name, text)
  for (const [name, bytes] of files) {
    if (!/\.js(\.map)?$/.test(name)) throw new Trouble(`the bundle holds ${name}, which is no JavaScript`)
    if (name.endsWith('.js') && Buffer.from(bytes).includes('_bg.wasm')) throw new Trouble(`${name} names the wasm that wasm-bindgen wrote: the entries load nidus.wasm`)
  }
  // A page with its store in the worker never asks for the engine; one with a host of its own does, and starts no worker.
  const pages = {
    'a page (store in the worker)': [...reached(groups.browser.metafile, PAGE, false), `${PAGES_WORKER}.js`],
    'a page (a host of its own)': [PAGE, outputOf(groups.browser.metafile, 'src/ts/open-own.ts')].flatMap((name) => [...reached(groups.browser.metafile, name, false)]),
    './segment': [...reached(groups.segment.metafile, 'segment-browser.js', true)],
    './slim': [...reached(groups.slim.metafile, 'slim.js', false), `${PAGES_WORKER}.js`],
    './inline': ['inline.js'],
    'Node, Deno, Bun': [...reached(groups.node.metafile, 'node.js', true)],
    'workerd, Durable Object': [...reached(groups.edge.metafile, 'workerd.js', true), ...reached(groups.edge.metafile, 'durable-object.js', true)],
  }
  return { files, pages }
}

const written = async ({ outputFiles }) => new Map(await Promise.all(outputFiles.map(async ({ path, text }) => [basename(path), await smaller(basename(path), text)])))

/** What esbuild wrote, 4 % smaller. Addresses stay in quotes: not every bundler looks for them in backticks. */
async function smaller(name, text) {
  const { minify } = await import('vite')
  const { code, errors } = await minify(name, text, { module: true, compress: { target: 'es2022' } })
  if (errors.length) throw new Trouble(`${name} cannot be minified: ${errors[0].message}`)
  return Buffer.from(code.replace(/(new URL|import)\(`([^`$\\"]+)`/g, '$1("$2"'))
}

/** The file that a source is loaded by on demand. */
const outputOf = ({ outputs }, source) => basename(Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source)[0])

/** An output and all it imports, with `later` also on demand. */
function reached({ outputs }, name, later, found = new Set()) {
  if (found.has(name)) return found
  found.add(name)
  const entry = Object.entries(outputs).find(([path]) => basename(path) === name)?.[1]
  for (const { path, kind, external } of entry?.imports ?? []) {
    if (!external && (later || kind !== 'dynamic-import')) reached({ outputs }, basename(path), later, found)
  }
  return found
}
