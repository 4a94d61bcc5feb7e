// Makes the JavaScript of dist/ with esbuild: entries that share chunks, and workers in one piece.
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { at, Trouble } from './lib.mjs'
import { namesOf, renameInGlue } from './names.mjs'
import { FIRST } from './split.mjs'

/**
 * The entries of one group share chunks, so an error class is the same in all of them. Few programs use entries of two
 * groups, and sharing chunks between groups would make more chunks. ./segment needs another wasm than the stores of a
 * page.
 */
export const GROUPS = {
  browser: ['browser'],
  segment: ['segment-browser'],
  slim: ['slim'],
  node: ['node', 'segment-node', 'search-worker-node', 'cli', 'transformers-node', 'transformers-worker-node'],
  edge: ['workerd', 'segment-workerd', 'durable-object'],
  sharded: ['sharded'],
  langchain: ['langchain'],
  transformers: ['transformers-browser'],
  live: ['live', 'react'],
}
/**
 * Workers are started by URL. Each is in one file, so that it costs one request and no bundler has to find its chunks.
 */
export const ALONE = ['worker', 'worker-opfs', 'transformers-worker', 'transformers-worker-url']
/**
 * worker-opfs.js is worker.js without these modules, and src/ts/platforms/small-worker.ts takes their place. Both
 * workers are complete files, because not every bundler lets a worker load parts of itself.
 */
const LEFT_OUT = [
  'engine/import',
  'engine/search-workers',
  'hosts/indexeddb/host',
  'hosts/memory',
  'stores/browser-upkeep',
]
/**
 * The index of documents. Each of these loads the entry of its platform as a file of its own, so a page that has both
 * loads that file once.
 */
const ON_AN_ENTRY = { browser: 'text-index-browser', node: 'text-index-node', workerd: 'text-index-workerd' }
/**
 * These are loaded when they are first needed. Each has its own copies of the few things that it shares with others.
 * Otherwise the files of a page would be split into more chunks.
 */
export const LATER = {
  transfer: 'src/ts/transfer/index.ts',
  static: 'src/ts/static/index.ts',
  persistence: 'src/ts/api/persistence.ts',
  salvage: 'src/ts/platforms/salvage-this-thread.ts',
  question: 'src/ts/question/index.ts',
  changes: 'src/ts/changes/index.ts',
  text: 'src/ts/entry/text.ts',
}
/**
 * This group is not minified, because its files are on a disk. Names and lines of an uncaught error are readable there.
 * It has its own copies of LATER, which are not minified either. `node --enable-source-maps` and debuggers follow its
 * maps to the lines of src/ts.
 */
const READABLE = 'node'
const MAPS = { sourcemap: 'linked', sourcesContent: true }
/** The file that a page loads before it starts the worker. */
const PAGE = 'browser.js'
/** The worker that a page starts. */
const PAGES_WORKER = 'worker-opfs'

/** A function of the glue that adds the exports of another part (see split.mjs) to those of the first one. */
const ADD_PART = `
export async function addPart(module) {
  const { exports } = await WebAssembly.instantiate(module, { ...__wbg_get_imports(), ${FIRST}: wasm });
  wasm = { ...wasm, ...exports };
}`

/**
 * A plugin that puts the generated glue in the place of ./core.js and ./text-core.js, which the sources import. It
 * leaves out parts of the glue: `using`, which nothing here uses and which would keep unused classes; the finalization
 * registries of all classes but `Segment`, because all others are freed by hand; checks of what only src/ts passes; and
 * the substitute for `encodeInto`, which every runtime with SIMD has. Tests whether memory has grown are made shorter.
 */
const core = (glues) => ({
  name: 'core',
  setup(build) {
    build.onResolve({ filter: /(^|\/)(text-)?core\.js$/ }, ({ path, importer }) =>
      importer.startsWith(at('src/ts')) ? { path: path.endsWith('text-core.js') ? glues.text : glues.core } : undefined,
    )
    build.onLoad({ filter: /core\.js$/ }, ({ path }) => {
      if (path !== glues.core && path !== glues.text) return undefined
      const text = readFileSync(path, 'utf8')
      const contents = text
        .replace(/^if \(Symbol\.dispose\).*$/gm, '')
        .replace(/^ *(?!Segment)\w+Finalization\.(un)?register\(.*\);$/gm, '')
        .replace(/^ *_assertClass\(.*$/gm, '')
        .replace(/^( *)if \(module !== undefined\) \{[^]*?^\1\}/m, '({module} = module)')
        .replace(/\b(cached\w+) === null \|\| \1\.byteLength === 0/g, '!$1?.byteLength')
        .replace(/\b(\w+\.buffer)\.detached === true \|\| \(\1\.detached === undefined && (\1 !== [\w.]+)\)/, '$2')
        .replace(/^( *)if \(realloc === undefined\) \{[^]*?^\1\}/m, '')
        .replace(/^if \(!\('encodeInto' in \w+\)\) \{[^]*?^\}/m, '')
        .replaceAll('new FinalizationRegistry', '/* @__PURE__ */ new FinalizationRegistry')
      return { contents: renameInGlue(contents, namesOf(text)) + (path === glues.core ? ADD_PART : ''), loader: 'js' }
    })
  },
})

/**
 * What birpc can do and src/ts/messages/rpc.ts does not use: calls by the names of a proxy, limits of time, and other
 * ways to call.
 */
const UNUSED_IN_BIRPC = [
  [/^\tif \(proxify\) rpc = new Proxy[^]*?^\t\} \}\);\n\telse /m, '\t'],
  [/^\t\t\tif \(timeout >= 0\) \{[^]*?^\t\t\t\}\n/m, ''],
  [/^\t\t\$call(Optional|Event)?: \(method, \.\.\.args\) => _call\(.*\n/gm, ''],
  [/^\t\t\$rejectPendingCalls,\n/m, ''],
]

/** A plugin that leaves that out. */
const birpc = {
  name: 'birpc',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]birpc[\\/]dist[\\/]index\.mjs$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      for (const [part] of UNUSED_IN_BIRPC)
        if (text.search(part) < 0) throw new Trouble(`birpc has changed: ${part} is not found (UNUSED_IN_BIRPC)`)
      return { contents: UNUSED_IN_BIRPC.reduce((text, [part, by]) => text.replace(part, by), text), loader: 'js' }
    })
  },
}

/** A plugin that puts other files of dist/ into inline.js, as they were made. */
const inline = (files) => ({
  name: 'inline',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^inline:/ }, ({ path }) => ({ path: path.slice('inline:'.length), namespace: 'inline' }))
    onLoad({ filter: /.*/, namespace: 'inline' }, ({ path }) => ({
      contents: files.get(path),
      loader: path.endsWith('.wasm') ? 'binary' : 'text',
    }))
  },
})

const later = {
  name: 'later',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
      const name =
        kind === 'dynamic-import' &&
        Object.keys(LATER).find((name) => join(resolveDir, path).replace(/\.js$/, '.ts') === at(LATER[name]))
      return name ? { path: `./${name}.js`, external: true } : undefined
    })
  },
}

const smallWorker = {
  name: 'small-worker',
  setup({ onResolve }) {
    const left = new Set(LEFT_OUT.map((name) => at('src/ts', `${name}.ts`)))
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
      left.has(join(resolveDir, path).replace(/\.js$/, '.ts'))
        ? { path: at('src/ts/platforms/small-worker.ts') }
        : undefined,
    )
  },
}

/**
 * Returns { files, pages }: the bytes of each file by its name, and for each kind of page its title, the names of the
 * files that it downloads, which module comes with them (see sizes.mjs), and which budget is for it.
 */
export async function bundle(glues, wasm, textWasm) {
  const { build } = await import('esbuild')
  const options = {
    absWorkingDir: at(),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    // workerd takes a .wasm file as a module.
    external: [
      'node:*',
      'cloudflare:*',
      './nidus.wasm',
      './nidus-text.wasm',
      '@langchain/*',
      '@huggingface/*',
      'react',
      // Loaded by its name: so the program's bundler or runtime chooses the entry for its platform.
      'nidus-wasm',
    ],
    minify: true,
    legalComments: 'none',
    outdir: at('dist'),
    // The bytes are written to dist/ only after everything has succeeded.
    write: false,
    metafile: true,
    logLevel: 'warning',
    plugins: [core(glues), birpc, later],
  }
  const readableOptions = { minify: false, ...MAPS, plugins: [core(glues)] }
  const paths = (names) => names.map((name) => at('src/ts/entry', `${name}.ts`)).filter((path) => existsSync(path))
  const groups = {}
  for (const [name, entries] of Object.entries(GROUPS))
    groups[name] = await build({
      ...options,
      entryPoints: paths(entries),
      splitting: true,
      // Chunks with the same content of two groups would be one module, and so one entry would configure the other.
      chunkNames: `chunk-${name}-[hash]`,
      ...(name === READABLE && readableOptions),
    })
  const small = await build({
    ...options,
    entryPoints: paths([PAGES_WORKER]),
    plugins: [...options.plugins, smallWorker],
  })
  const alone = await build({
    ...options,
    entryPoints: [
      ...paths(ALONE.filter((name) => name !== PAGES_WORKER)),
      ...Object.entries(LATER).map(([name, path]) => ({ in: at(path), out: name })),
    ],
  })
  const onEntries = {}
  for (const [name, entry] of Object.entries(ON_AN_ENTRY))
    onEntries[name] = await build({
      ...options,
      entryPoints: paths([entry]),
      external: [...options.external, `./${name}.js`],
      ...(name === READABLE && readableOptions),
    })

  const { [READABLE]: readable, ...others } = groups
  const { [READABLE]: readableIndex, ...otherIndexes } = onEntries
  const files = await written({
    outputFiles: [...Object.values(others), ...Object.values(otherIndexes), small, alone].flatMap(
      ({ outputFiles }) => outputFiles,
    ),
  })
  for (const { path, contents } of [...readable.outputFiles, ...readableIndex.outputFiles])
    files.set(basename(path), Buffer.from(contents))
  for (const [name, text] of await written(
    await build({
      ...options,
      entryPoints: paths(['inline']),
      plugins: [...options.plugins, inline(new Map([...files, ['nidus.wasm', wasm], ['nidus-text.wasm', textWasm]]))],
    }),
  ))
    files.set(name, text)
  for (const [name, bytes] of files) {
    if (!/\.js(\.map)?$/.test(name)) throw new Trouble(`the bundle holds ${name}, which is no JavaScript`)
    if (name.endsWith('.js') && Buffer.from(bytes).includes('_bg.wasm'))
      throw new Trouble(`${name} names the wasm that wasm-bindgen wrote: the entries load nidus.wasm`)
  }
  // A page whose store is in the worker never loads the engine. A page with a host of its own loads it and starts no
  // worker.
  const reachedFrom = ({ metafile }, name, later = true) => [...reached(metafile, name, later)]
  const { browser, segment, slim, node, edge } = groups
  const pages = [
    // Only these are downloaded by pages. inline.js is one large file by choice.
    {
      title: 'a page (store in the worker)',
      names: [...reachedFrom(browser, PAGE, false), `${PAGES_WORKER}.js`],
      wasm: 'first',
      budget: 'ordinary',
    },
    {
      title: 'a page (a host of its own)',
      names: [PAGE, outputOf(browser.metafile, 'src/ts/stores/open-own-host.ts')].flatMap((name) =>
        reachedFrom(browser, name, false),
      ),
      wasm: 'first',
      budget: 'ordinary',
    },
    { title: './segment', names: reachedFrom(segment, 'segment-browser.js'), wasm: 'whole', budget: 'complete' },
    {
      title: './slim',
      names: [...reachedFrom(slim, 'slim.js', false), `${PAGES_WORKER}.js`],
      wasm: 'page',
      budget: 'complete',
    },
    // This file contains the wasm.
    { title: './inline', names: ['inline.js'], wasm: 'none' },
    // These are on a disk, or uploaded.
    { title: 'Node, Deno, Bun', names: reachedFrom(node, 'node.js'), wasm: 'whole' },
    {
      title: 'workerd, Durable Object',
      names: ['workerd.js', 'durable-object.js'].flatMap((name) => reachedFrom(edge, name)),
      wasm: 'whole',
    },
  ]
  return { files, pages }
}

const written = async ({ outputFiles }) =>
  new Map(
    await Promise.all(outputFiles.map(async ({ path, text }) => [basename(path), await smaller(basename(path), text)])),
  )

/**
 * Returns a file of esbuild's output, made 6 % smaller. Addresses stay in quotes, because some bundlers do not find
 * them in backticks.
 */
async function smaller(name, text) {
  const { minify } = await import('terser')
  // Comparisons as we write them compress better.
  const compress = { passes: 3, lhs_constants: false }
  const { code } = await minify({ [name]: text }, { module: true, ecma: 2020, compress })
  return Buffer.from(
    code
      .replace(/(new URL|import)\(`([^`$\\"]+)`/g, '$1("$2"')
      // An import of a variable loads a file that bundlers must leave alone. These comments tell them so, and the
      // minifier has removed them.
      .replace(/\bimport\((\w+)\)/g, 'import(/* @vite-ignore *//* webpackIgnore: true */$1)'),
  )
}

/** Returns the name of the output file of a source that is loaded on demand. */
const outputOf = ({ outputs }, source) =>
  basename(Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source)[0])

/**
 * Returns the names of an output file and of all files that it imports. With `later`, also those that it loads on
 * demand.
 */
function reached({ outputs }, name, later, found = new Set()) {
  if (found.has(name)) return found
  found.add(name)
  const entry = Object.entries(outputs).find(([path]) => basename(path) === name)?.[1]
  for (const { path, kind, external } of entry?.imports ?? []) {
    if (!external && (later || kind !== 'dynamic-import')) reached({ outputs }, basename(path), later, found)
  }
  return found
}
