// The cells. Each says what it installs, what it does, and which result is right. `setting` is what a user has to do
// besides importing the package, if anything.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { extensionTitle } from './browser.mjs'
import {
  COPY,
  FS,
  OPFS,
  REACT_PACKAGES,
  beside,
  built,
  bunBuild,
  esbuild,
  next,
  node,
  packer,
  page,
  parcel,
  rollup,
  vite,
} from './makers.mjs'
import {
  CLOUDFLARE,
  MINIFLARE,
  PAGE,
  REACT,
  SLIM_VITE,
  STATIC_SERVER,
  STATIC_WORKER,
  inPage,
  script,
} from './programs.mjs'

/** The entries that a page or a worker starts by their URL. No program imports one, so none has types. */
const STARTED_BY_URL = Object.keys(
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).exports,
).filter((entry) => /\.wasm$|worker(-opfs)?$/.test(entry))

export const CELLS = [
  node('Node 20', {}, () => [process.execPath]),
  node('Node 22', { 'node-PLATFORM': 'node22' }, (dir) => [join(dir, 'node_modules/node-PLATFORM/bin/node')]),
  node('Node 24', { 'node-PLATFORM': 'node24' }, (dir) => [join(dir, 'node_modules/node-PLATFORM/bin/node')]),
  {
    name: 'Deno 2',
    install: {},
    wants: FS,
    core: true,
    async work({ dir, run, tool }) {
      cpSync(new URL('app/check.js', import.meta.url).pathname, join(dir, 'check.js'))
      writeFileSync(join(dir, 'main.mjs'), script())
      return run(tool('deno'), 'run', '--allow-read', '--allow-write', '--node-modules-dir=manual', 'main.mjs')
    },
  },
  {
    name: 'Bun 1',
    install: {},
    wants: FS,
    core: true,
    async work({ dir, run, tool }) {
      cpSync(new URL('app/check.js', import.meta.url).pathname, join(dir, 'check.js'))
      writeFileSync(join(dir, 'main.mjs'), script())
      return run(tool('bun'), 'main.mjs')
    },
  },
  {
    name: "workerd: wrangler's bundle, in miniflare",
    install: { wrangler: 'wrangler', miniflare: 'miniflare', 'node-PLATFORM': 'node24' },
    wants: 'b 2 durable-object',
    async work({ dir, run, node24 }) {
      mkdirSync(join(dir, 'src'))
      cpSync(new URL('app/check.js', import.meta.url).pathname, join(dir, 'src/check.js'))
      writeFileSync(join(dir, 'src/index.js'), CLOUDFLARE)
      cpSync(new URL('../../examples/cloudflare/wrangler.json', import.meta.url).pathname, join(dir, 'wrangler.json'))
      await run(node24, 'node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'out')
      writeFileSync(
        join(dir, 'serve.mjs'),
        `import { Miniflare } from 'miniflare'
const server = new Miniflare({
${MINIFLARE}  durableObjects: { NOTES: { className: 'Notes', useSQLite: true } },
})
console.log(await (await server.dispatchFetch('http://localhost/')).text())
await server.dispose()
`,
      )
      return run(node24, 'serve.mjs')
    },
  },
  {
    name: 'workerd: a static index in R2, in miniflare',
    install: { wrangler: 'wrangler', miniflare: 'miniflare', 'node-PLATFORM': 'node24' },
    wants: 'same same STORAGE_FAILED',
    async work({ dir, run, node24 }) {
      mkdirSync(join(dir, 'src'))
      for (const [name, text] of Object.entries({ 'src/index.js': STATIC_WORKER, 'serve.mjs': STATIC_SERVER }))
        writeFileSync(join(dir, name), text)
      writeFileSync(
        join(dir, 'wrangler.json'),
        JSON.stringify({
          name: 'static',
          main: 'src/index.js',
          compatibility_date: '2026-07-01',
          r2_buckets: [{ binding: 'BUCKET', bucket_name: 'bucket' }],
        }),
      )
      await run(node24, 'node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'out')
      return run(node24, 'serve.mjs')
    },
  },
  vite('Vite 8, development', 'vite', 'dev'),
  vite('Vite 8, build', 'vite', 'build'),
  vite('Vite 8, build, in Firefox', 'vite', 'build', undefined, undefined, 'firefox'),
  vite('Vite 7, development', 'vite7', 'dev'),
  vite('Vite 7, build', 'vite7', 'build'),
  vite(
    'Vite 7, development, `nidus-wasm/slim`',
    'vite7',
    'dev',
    inPage('nidus-wasm/slim', SLIM_VITE),
    '`wasm` from `?url`, `worker` from `?worker`',
  ),
  packer('webpack 5', { webpack: 'webpack' }, "import pack from 'webpack'"),
  packer('rspack', { '@rspack/core': '@rspack/core' }, "import { rspack as pack } from '@rspack/core'"),
  esbuild('esbuild', { setting: COPY, copies: true, core: true }),
  esbuild('esbuild, `nidus-wasm/inline`', { source: inPage('nidus-wasm/inline'), core: true }),
  rollup('rollup', { setting: COPY, copies: true }),
  rollup('rollup, `nidus-wasm/inline`, in Firefox', { source: inPage('nidus-wasm/inline'), browser: 'firefox' }),
  bunBuild('bun build', { setting: COPY, copies: true }),
  bunBuild('bun build, `nidus-wasm/inline`', { source: inPage('nidus-wasm/inline') }),
  parcel('Parcel 2'),
  vite('Vite 8, build, React hooks over texts', 'vite', 'build', REACT, undefined, undefined, REACT_PACKAGES),
  packer('webpack 5, React hooks over texts', { webpack: 'webpack', ...REACT_PACKAGES }, "import pack from 'webpack'", {
    source: REACT,
  }),
  parcel('Parcel 2, React hooks over texts', REACT_PACKAGES, REACT),
  next('Next 16 (Turbopack): client component, server route, React hooks'),
  next('Next 16 (webpack): client component, server route, React hooks', '--webpack'),
  {
    name: 'no bundler, strict Content-Security-Policy',
    install: {},
    wants: OPFS,
    core: true,
    async work(cell) {
      const { dir } = cell
      page(cell, inPage('./nidus/browser.js'))
      cpSync(join(dir, 'node_modules/nidus-wasm/dist'), join(dir, 'nidus'), { recursive: true })
      writeFileSync(join(dir, 'index.html'), '<!doctype html><script type="module" src="./page.js"></script>')
      return built(cell, {
        folder: '.',
        headers: {
          'content-security-policy':
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'",
        },
      })
    },
  },
  {
    name: 'no bundler, in Firefox',
    install: {},
    wants: OPFS,
    async work(cell) {
      page(cell, inPage('./nidus/browser.js'))
      cpSync(join(cell.dir, 'node_modules/nidus-wasm/dist'), join(cell.dir, 'nidus'), { recursive: true })
      return built(cell, { folder: '.', browser: 'firefox' })
    },
  },
  {
    name: 'page of a browser extension (Manifest V3)',
    install: { esbuild: 'esbuild' },
    wants: OPFS,
    setting: `${COPY}; \`script-src 'self' 'wasm-unsafe-eval'\``,
    async work(cell) {
      const { dir, run } = cell
      page(cell)
      await run(
        'node_modules/.bin/esbuild',
        'page.js',
        '--bundle',
        '--format=esm',
        '--outdir=dist',
        '--log-level=warning',
      )
      beside(cell)
      writeFileSync(join(dir, 'dist/index.html'), PAGE.replace(/<link.*?>/, ''))
      writeFileSync(
        join(dir, 'dist/manifest.json'),
        JSON.stringify({
          manifest_version: 3,
          name: 'matrix',
          version: '1',
          content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'" },
        }),
      )
      return extensionTitle(join(dir, 'dist'))
    },
  },
  {
    name: 'service worker',
    install: { esbuild: 'esbuild' },
    wants: 'b 2 indexeddb, UNSUPPORTED',
    setting: 'bundled into one file, `wasm` passed',
    async work(cell) {
      const { dir, run } = cell
      page(
        cell,
        `const { serviceWorker } = navigator
await serviceWorker.register('./service-worker.js')
const { active } = await serviceWorker.ready
serviceWorker.onmessage = ({ data }) => (document.title = data)
active.postMessage('')
`,
      )
      writeFileSync(
        join(dir, 'service-worker.source.js'),
        `import { Nidus } from 'nidus-wasm'
import { check } from './check.js'
addEventListener('message', (event) =>
  event.waitUntil(
    check(Nidus, 'matrix', { wasm: './nidus.wasm' }).then(
      (found) => event.source.postMessage(found),
      (error) => event.source.postMessage('failed: ' + error.code + ' ' + error.message),
    ),
  ),
)
`,
      )
      await run(
        'node_modules/.bin/esbuild',
        'service-worker.source.js',
        '--bundle',
        '--format=iife',
        '--outfile=service-worker.js',
        '--log-level=error',
      )
      cpSync(join(dir, 'node_modules/nidus-wasm/dist/nidus.wasm'), join(dir, 'nidus.wasm'))
      return built(cell, { folder: '.' })
    },
  },
  {
    name: 'every entry, imported on a server',
    install: {},
    wants: 'inline slim segment worker words durable-object nidus-wasm',
    core: true,
    async work({ dir, run }) {
      writeFileSync(
        join(dir, 'import.mjs'),
        `const done = []
for (const entry of ['inline', 'slim', 'segment', 'worker', 'words', 'durable-object']) {
  await import('nidus-wasm/' + entry)
  done.push(entry)
}
await import('nidus-wasm'); done.push('nidus-wasm')
for (const path of ['browser', 'segment-browser']) await import('./node_modules/nidus-wasm/dist/' + path + '.js')
console.log(done.join(' '))
`,
      )
      return run(process.execPath, 'import.mjs')
    },
  },
  {
    name: 'publint',
    install: { publint: 'publint' },
    wants: 'clean',
    core: true,
    async work({ run }) {
      const said = await run('node_modules/.bin/publint', 'run', 'node_modules/nidus-wasm', '--strict')
      return /All good!/.test(said) ? 'clean' : said
    },
  },
  {
    name: 'attw (ES modules only)',
    install: { '@arethetypeswrong/cli': '@arethetypeswrong/cli' },
    wants: 'clean',
    core: true,
    async work({ run, tarball }) {
      // attw ends with an error if it finds a problem.
      await run(
        'node_modules/.bin/attw',
        tarball,
        '--profile',
        'esm-only',
        '--exclude-entrypoints',
        ...STARTED_BY_URL,
        '--no-emoji',
        '--no-color',
      )
      return 'clean'
    },
  },
]
