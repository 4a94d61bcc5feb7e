// Functions that make cells, one for each kind of tool.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { titleOf } from './browser.mjs'
import { NEXT_HOOKS, PACKER, PAGE, script } from './programs.mjs'

export const OPFS = 'b 2 opfs, w'
export const FS = 'b 2 fs'
/** Opens a page that was built into a folder, from a plain web server. Returns its title. */
export async function built({ dir, serve }, { folder = 'dist', browser, headers } = {}) {
  const server = await serve(join(dir, folder), headers)
  try {
    return await titleOf(server.origin, { browser })
  } finally {
    server.stop()
  }
}

const COPIED = [
  ...['worker.js', 'nidus.wasm', 'nidus-relaxed.wasm', 'nidus-first.wasm', 'nidus-first-relaxed.wasm'],
  ...['nidus-rest.wasm', 'nidus-rest-relaxed.wasm', 'nidus-codes.wasm', 'nidus-codes-relaxed.wasm'],
  ...['text.js', 'nidus-text.wasm'],
]
/** Copies the files that esbuild, rollup and bun do not copy. */
export function beside({ dir }, folder = 'dist') {
  for (const name of COPIED) cpSync(join(dir, 'node_modules/nidus-wasm/dist', name), join(dir, folder, name))
}

export function page({ dir }, source) {
  cpSync(new URL('app', import.meta.url).pathname, dir, { recursive: true })
  writeFileSync(join(dir, 'index.html'), PAGE)
  if (source) writeFileSync(join(dir, 'page.js'), source)
}

export const node = (name, install, program) => ({
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

export const REACT_PACKAGES = { react: 'react', 'react-dom': 'react' }

export const vite = (name, version, mode, source, setting, browser, install = {}) => ({
  name,
  install: { vite: version, ...install },
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

export const bundled = (name, install, work, extra = {}) => ({
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

export const COPY = 'worker.js, text.js and the .wasm files copied beside the output'
export const packer = (name, install, from, extra) =>
  bundled(
    name,
    install,
    async ({ dir, run }) => {
      writeFileSync(join(dir, 'pack.mjs'), PACKER.replace('IMPORT', from))
      await run(process.execPath, 'pack.mjs')
    },
    extra,
  )

export const parcel = (name, install = {}, source = undefined) => ({
  name,
  install: { parcel: 'parcel', ...install },
  wants: OPFS,
  setting: '`{ "@parcel/resolver-default": { "packageExports": true } }` in package.json',
  async work(cell) {
    const { dir, run } = cell
    page(cell, source)
    const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
    writeFileSync(
      join(dir, 'package.json'),
      JSON.stringify({ ...manifest, '@parcel/resolver-default': { packageExports: true } }),
    )
    const options = ['--no-cache', '--public-url', './']
    await run(process.execPath, 'node_modules/parcel/lib/bin.js', 'build', 'index.html', ...options)
    return built(cell)
  },
})

export const rollup = (name, extra) =>
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
export const esbuild = (name, extra) =>
  bundled(
    name,
    { esbuild: 'esbuild' },
    ({ run }) =>
      run('node_modules/.bin/esbuild', 'page.js', '--bundle', '--format=esm', '--outdir=dist', '--log-level=warning'),
    extra,
  )
export const bunBuild = (name, extra) =>
  bundled(
    name,
    {},
    ({ run, tool }) => run(tool('bun'), 'build', 'page.js', '--outdir', 'dist', '--target', 'browser'),
    extra,
  )

export const next = (name, ...flags) => ({
  name,
  install: { next: 'next', react: 'react', 'react-dom': 'react', 'node-PLATFORM': 'node24' },
  wants: `${OPFS}, ${FS}, ${OPFS}`,
  async work({ dir, run, background, node24 }) {
    mkdirSync(join(dir, 'app/api'), { recursive: true })
    mkdirSync(join(dir, 'app/hooks'))
    writeFileSync(join(dir, 'app/hooks/page.js'), NEXT_HOOKS)
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
useEffect(() => {
  const failed = (error) => setFound('failed: ' + error.code + ' ' + error.message)
  check(Nidus, 'matrix').then(setFound, failed)
}, [])
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
const failed = (error) => 'failed: ' + error.code + ' ' + error.message
export const GET = async () => new Response(await check(Nidus, './store').catch(failed))
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
      const route = await (await fetch(`${server.found}/api`)).text()
      return `${await titleOf(server.found)}, ${route}, ${await titleOf(`${server.found}/hooks`)}`
    } finally {
      await server.stop()
    }
  },
})
