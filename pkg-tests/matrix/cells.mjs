// The cells: what each installs, what it does, and what must come out. `setting` is what a user has to do besides
// importing the package. Without it the package is used as it is.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { extensionTitle, titleOf } from './browser.mjs'

const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./page.js"></script>'
const OPFS = 'b 2 opfs, w'
const FS = 'b 2 fs'
const inPage = (entry, options = '') => `import { Nidus } from '${entry}'
import { check } from './check.js'
${options.startsWith('import') ? options : ''}
check(Nidus, 'matrix'${options && !options.startsWith('import') ? `, ${options}` : options ? ', { wasm, worker }' : ''}).then((found) => (document.title = found), (error) => (document.title = 'failed: ' + error.code + ' ' + error.message))
`

const script = (storage) => `import { Nidus } from 'nidus-wasm'
import { check } from './check.js'
console.log(await check(Nidus, './store'${storage ? `, { storage: '${storage}' }` : ''}))
`

/** Opens a page that was built into `dist`, from a plain web server. */
async function built({ dir, serve }, { folder = 'dist', browser, headers } = {}) {
  const server = await serve(join(dir, folder), headers)
  try {
    return await titleOf(server.origin, { browser })
  } finally {
    server.stop()
  }
}

const COPIED = [
  ...['worker.js', 'nidus.wasm', 'nidus-relaxed.wasm', 'nidus-page.wasm', 'nidus-page-relaxed.wasm'],
  ...['text.js', 'nidus-text.wasm'],
]
/** Copies the files that esbuild, rollup and bun do not copy. */
function beside({ dir }, folder = 'dist') {
  for (const name of COPIED) cpSync(join(dir, 'node_modules/nidus-wasm/dist', name), join(dir, folder, name))
}

function page({ dir }, source) {
  cpSync(new URL('app', import.meta.url).pathname, dir, { recursive: true })
  writeFileSync(join(dir, 'index.html'), PAGE)
  if (source) writeFileSync(join(dir, 'page.js'), source)
}

const node = (name, install, program) => ({
  name,
  install,
  wants: FS,
  core: name === 'Node 20',
  async work({ dir, run }) {
    cpSync(new URL('app/check.js', import.meta.url).pathname, join(dir, 'check.js'))
    writeFileSync(join(dir, 'main.mjs'), script())
    return run(...program(dir), 'main.mjs')
  },
})

const vite = (name, version, mode, source, setting, browser) => ({
  name,
  install: { vite: version },
  wants: OPFS,
  setting,
  browser,
  core: name === 'Vite 8, build',
  async work(cell) {
    const { dir, run, background } = cell
    page(cell, source)
    writeFileSync(join(dir, 'vite.config.js'), 'export default { logLevel: "warn", server: { host: "127.0.0.1" } }\n')
    if (mode === 'build') {
      await run(process.execPath, 'node_modules/vite/bin/vite.js', 'build')
      return built(cell, { browser })
    }
    const server = await background(
      /http:\/\/127\.0\.0\.1:\d+\//,
      process.execPath,
      'node_modules/vite/bin/vite.js',
      '--port',
      '0',
      '--logLevel',
      'info',
    )
    try {
      return await titleOf(server.found, { browser })
    } finally {
      await server.stop()
    }
  },
})

const bundled = (name, install, work, extra = {}) => ({
  name,
  install,
  wants: OPFS,
  ...extra,
  async work(cell) {
    page(cell, extra.source)
    mkdirSync(join(cell.dir, 'dist'))
    writeFileSync(join(cell.dir, 'dist/index.html'), PAGE)
    await work(cell)
    if (extra.copies) beside(cell)
    return built(cell, extra)
  },
})

const COPY = 'worker.js, text.js and the .wasm files copied beside the output'
const PACKER = `IMPORT
pack({ mode: 'production', entry: './page.js', output: { path: process.cwd() + '/dist', filename: 'page.js', publicPath: 'auto', module: false } }, (error, stats) => {
  if (error || stats.hasErrors()) { console.error(error ?? stats.toString({ all: false, errors: true })); process.exit(1) }
})
`
const packer = (name, install, from) =>
  bundled(name, install, async ({ dir, run }) => {
    writeFileSync(join(dir, 'pack.mjs'), PACKER.replace('IMPORT', from))
    await run(process.execPath, 'pack.mjs')
  })

const rollup = (name, extra) =>
  bundled(
    name,
    { rollup: 'rollup', '@rollup/plugin-node-resolve': '@rollup/plugin-node-resolve' },
    async ({ dir, run }) => {
      writeFileSync(
        join(dir, 'rollup.config.mjs'),
        `import resolve from '@rollup/plugin-node-resolve'\nexport default { input: 'page.js', output: { dir: ` +
          `'dist', format: 'es' }, plugins: [resolve({ browser: true })] }\n`,
      )
      await run(process.execPath, 'node_modules/rollup/dist/bin/rollup', '-c', '--silent')
    },
    extra,
  )
const esbuild = (name, extra) =>
  bundled(
    name,
    { esbuild: 'esbuild' },
    ({ run }) =>
      run('node_modules/.bin/esbuild', 'page.js', '--bundle', '--format=esm', '--outdir=dist', '--log-level=warning'),
    extra,
  )
const bunBuild = (name, extra) =>
  bundled(
    name,
    {},
    ({ run, tool }) => run(tool('bun'), 'build', 'page.js', '--outdir', 'dist', '--target', 'browser'),
    extra,
  )

const SLIM_VITE =
  `import wasm from 'nidus-wasm/nidus.wasm?url'\nimport NidusWorker from ` +
  `'nidus-wasm/worker?worker'\nconst worker = () => new NidusWorker()`

const CLOUDFLARE = `import { DurableObject } from 'cloudflare:workers'
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { check } from './check.js'
export class Notes extends DurableObject {
  async fetch() { return new Response(await check(Nidus, 'matrix', { storage: durableObject(this.ctx.storage) })) }
}
export default { fetch: (request, env) => env.NOTES.get(env.NOTES.idFromName('all')).fetch(request) }
`

const next = (name, ...flags) => ({
  name,
  install: { next: 'next', react: 'react', 'react-dom': 'react', 'node-PLATFORM': 'node24' },
  wants: `${OPFS}, ${FS}`,
  async work({ dir, run, background, node24 }) {
    mkdirSync(join(dir, 'app/api'), { recursive: true })
    cpSync(new URL('app/check.js', import.meta.url).pathname, join(dir, 'app/check.js'))
    writeFileSync(join(dir, 'app/layout.js'), 'export default ({ children }) => <html><body>{children}</body></html>\n')
    writeFileSync(
      join(dir, 'app/page.js'),
      `'use client'
import { useEffect, useState } from 'react'
import { Nidus } from 'nidus-wasm'
import { check } from './check.js'
export default function Page() {
const [found, setFound] = useState('')
useEffect(() => { check(Nidus, 'matrix').then(setFound, (error) => setFound('failed: ' + error.code + ' ' + error.message)) }, [])
useEffect(() => { if (found) document.title = found }, [found])
return <p>{found}</p>
}
`,
    )
    writeFileSync(
      join(dir, 'app/api/route.js'),
      `import { Nidus } from 'nidus-wasm'
import { check } from '../check.js'
export const dynamic = 'force-dynamic'
export const GET = async () => new Response(await check(Nidus, './store').catch((error) => 'failed: ' + error.code + ' ' + error.message))
`,
    )
    const env = { NEXT_TELEMETRY_DISABLED: '1' }
    await run({ env }, node24, 'node_modules/next/dist/bin/next', 'build', ...flags)
    const server = await background(
      /http:\/\/localhost:\d+/,
      { env },
      node24,
      'node_modules/next/dist/bin/next',
      'start',
      '-p',
      '0',
    )
    try {
      return `${await titleOf(server.found)}, ${await (await fetch(`${server.found}/api`)).text()}`
    } finally {
      await server.stop()
    }
  },
})

const STATIC_WORKER = `import { Nidus } from 'nidus-wasm'
const opened = {}
export default {
  async fetch(request, { BUCKET }) {
    const { memory, query } = await request.json()
    try {
      const db = await (opened[memory] ??= Nidus.fromStatic({ bucket: BUCKET, data: 'index/data', log: 'index/log' }, { memory }))
      return Response.json(await db.search(Float32Array.from(query)))
    } catch (error) {
      return Response.json(error.code ?? String(error))
    }
  },
}
`
const STATIC_SERVER = `import { readFileSync } from 'node:fs'
import { Miniflare } from 'miniflare'
import { Nidus } from 'nidus-wasm'
const D = 64, ROWS = 12000
const db = await Nidus.open('store', { dimension: D })
let state = 1
const next = () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5
await db.upsert('c', { ids: Array.from({ length: ROWS }, (_, i) => 'd' + i), vectors: Float32Array.from({ length: ROWS * D }, next), attrs: Array.from({ length: ROWS }, (_, n) => ({ n })) })
const query = Array.from({ length: D }, next)
const truth = JSON.stringify(await db.search(Float32Array.from(query)))
await db.close()
const server = new Miniflare({ modules: true, scriptPath: 'out/index.js', modulesRoot: 'out', modulesRules: [{ type: 'ESModule', include: ['**/*.js'] }, { type: 'CompiledWasm', include: ['**/*.wasm'] }], compatibilityDate: '2026-07-01', cf: false, r2Buckets: ['BUCKET'] })
const bucket = await server.getR2Bucket('BUCKET')
for (const name of ['data', 'log']) await bucket.put('index/' + name, readFileSync('store/' + name))
const ask = async (memory, query) => (await server.dispatchFetch('http://localhost/', { method: 'POST', body: JSON.stringify({ memory, query }) })).text()
const answers = [await ask('full', query), await ask('compact', query)].map((text) => (text === truth ? 'same' : text))
await bucket.put('index/data', readFileSync('store/data').fill(1, 5000, 6000))
for (let i = 0; i < 50 && answers.length < 3; i++) {
  const answer = await ask('compact', Array.from({ length: D }, next))
  if (!answer.startsWith('[')) answers.push(JSON.parse(answer))
}
console.log(answers.join(' '))
await server.dispose()
`

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
const server = new Miniflare({ modules: true, scriptPath: 'out/index.js', modulesRoot: 'out', modulesRules: [{ type: 'ESModule', include: ['**/*.js'] }, { type: 'CompiledWasm', include: ['**/*.wasm'] }], compatibilityDate: '2026-07-01', cf: false, durableObjects: { NOTES: { className: 'Notes', useSQLite: true } } })
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
  {
    name: 'Parcel 2',
    install: { parcel: 'parcel' },
    wants: OPFS,
    setting: '`{ "@parcel/resolver-default": { "packageExports": true } }` in package.json',
    async work(cell) {
      const { dir, run } = cell
      page(cell)
      const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
      writeFileSync(
        join(dir, 'package.json'),
        JSON.stringify({ ...manifest, '@parcel/resolver-default': { packageExports: true } }),
      )
      await run(
        process.execPath,
        'node_modules/parcel/lib/bin.js',
        'build',
        'index.html',
        '--no-cache',
        '--public-url',
        './',
      )
      return built(cell)
    },
  },
  next('Next 16 (Turbopack): client component and server route'),
  next('Next 16 (webpack): client component and server route', '--webpack'),
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
addEventListener('message', (event) => event.waitUntil(check(Nidus, 'matrix', { wasm: './nidus.wasm' }).then((found) => event.source.postMessage(found), (error) => event.source.postMessage('failed: ' + error.code + ' ' + error.message))))
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
    wants: 'inline slim segment worker durable-object nidus-wasm',
    core: true,
    async work({ dir, run }) {
      writeFileSync(
        join(dir, 'import.mjs'),
        `const done = []
for (const entry of ['inline', 'slim', 'segment', 'worker', 'durable-object']) { await import('nidus-wasm/' + entry); done.push(entry) }
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
        './nidus.wasm',
        './nidus-relaxed.wasm',
        './nidus-page.wasm',
        './nidus-page-relaxed.wasm',
        './nidus-text.wasm',
        './worker',
        './worker-opfs',
        '--no-emoji',
        '--no-color',
      )
      return 'clean'
    },
  },
]
