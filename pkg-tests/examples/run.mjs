// `npm run test:examples`: installs the packed tarball into examples and runs them unchanged. Also runs the code of the
// migration guide together with the other products.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { chromium } from 'playwright'
import { chromium as settings } from '../../scripts/browsers.mjs'
import { at, main, run, say, seconds, Trouble } from '../../scripts/lib.mjs'
import { TARGET, toolchain } from '../../scripts/toolchain.mjs'
import { bundle, serve } from '../workerd/harness.mjs'
import { pack } from '../common/pack.mjs'
import { serveFolder } from '../common/serve.mjs'
import { unpackedExtension } from '../matrix/browser.mjs'

const folder = mkdtempSync(join(tmpdir(), 'nidus-examples-'))
const npm = (args, cwd) => run('npm', args, { cwd, quiet: true })
let tarball

function check(what, found, wanted) {
  if (!(wanted instanceof RegExp ? wanted.test(found) : found === wanted))
    throw new Trouble(`${what}: ${JSON.stringify(found)} instead of ${wanted}`)
}

/** Copies an example and installs its dependencies, with our package from the tarball. Returns its folder. */
async function copy(name) {
  const dir = join(folder, name)
  cpSync(at('examples', name), dir, { recursive: true })
  const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  manifest.dependencies['nidus-wasm'] = `file:${tarball}`
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest))
  await npm(['install', '--no-audit', '--no-fund'], dir)
  return dir
}

async function inChromium(profile, options, work) {
  const context = await chromium.launchPersistentContext(profile, { ...settings, ...options })
  const complaints = []
  context.on('weberror', (error) => complaints.push(error.error().message))
  context.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  try {
    return await work(context.pages()[0] ?? (await context.newPage()), complaints)
  } finally {
    await context.close()
  }
}

async function react() {
  const dir = await copy('react')
  await npm(['run', 'build'], dir)
  const server = await serveFolder(join(dir, 'dist'))
  try {
    await inChromium(join(folder, 'react-profile'), {}, async (page, complaints) => {
      await page.goto(server.origin)
      for (const text of ['buy bread and milk', 'call the dentist']) {
        await page.getByLabel('A note').fill(text)
        await page.getByRole('button').click()
        await page.waitForFunction(() => document.querySelector('[name=text]').value === '')
      }
      await page.reload()
      await page.getByLabel('Search').fill('dentist')
      await page.locator('li').first().waitFor()
      check('the first note found', await page.locator('li').first().textContent(), /^call the dentist \(0\.\d\d\)$/)
      check('complaints', complaints.join(), '')
    })
  } finally {
    server.stop()
  }
}

async function cloudflare() {
  const dir = await copy('cloudflare')
  const directory = join(folder, 'workerd')
  await bundle(directory, join(dir, 'src/index.js'), { folder: join(dir, 'node_modules/nidus-wasm') })
  for (let start = 0; start < 2; start++) {
    const served = await serve(directory, { objects: { Notes: true } })
    const ask = async (path, method, body) => {
      const response = await fetch(new URL(path, served.url), { method, body: body && JSON.stringify(body) })
      return { status: response.status, body: response.status === 204 ? undefined : await response.json() }
    }
    try {
      if (start === 0)
        check(
          'PUT',
          (await ask('/docs/sea', 'PUT', { vector: [0.9, 0.1, 0], attrs: { title: 'At the sea' } })).status,
          204,
        )
      check('search', (await ask('/search', 'POST', { vector: [1, 0.2, 0] })).body[0].attrs.title, 'At the sea')
      check('a wrong vector', (await ask('/docs/x', 'PUT', { vector: [1] })).body.code, 'DIMENSION_MISMATCH')
      check('DELETE of nothing', (await ask('/docs/none', 'DELETE')).body.deleted, 0)
    } finally {
      await served.stop()
    }
  }
  await upload(dir)
}

/**
 * Lets wrangler bundle a project as for an upload. wrangler needs a newer Node than the package does, so that is
 * installed, too.
 */
async function upload(dir) {
  await npm(['install', '--no-save', '--no-audit', '--no-fund', `node-${process.platform}-${process.arch}@24`], dir)
  const { output } = await run(
    join(dir, `node_modules/node-${process.platform}-${process.arch}/bin/node`),
    [join(dir, 'node_modules/wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', 'out'],
    { cwd: dir, quiet: true, env: { WRANGLER_SEND_METRICS: 'false', CI: '1' } },
  )
  check('wrangler', output, /Total Upload/)
}

/** Checks only that the example can be installed and uploaded unchanged. `npm test` tests what it does. */
const service = async () => upload(await copy('server'))

async function extension() {
  const dir = await copy('extension')
  await npm(['run', 'build'], dir)
  const { origin, launch } = unpackedExtension(join(dir, 'dist'))
  for (let visit = 1; visit <= 2; visit++) {
    await inChromium(join(folder, 'extension-profile'), launch, async (page, complaints) => {
      await page.goto(`${origin}page.html`)
      await page.waitForFunction(() => document.querySelector('output').textContent !== '…')
      check('openings', await page.locator('output').textContent(), `${visit}`)
      check('complaints', complaints.join(), '')
    })
  }
}

/** Returns the code blocks of the migration guide that are marked `runs: kind`. */
const blocks = (kind) =>
  [...readFileSync(at('docs/guides/migration.md'), 'utf8').matchAll(/<!-- runs: (\w+) -->\n+```js\n(.*?)```/gs)]
    .filter(([, runs]) => runs === kind)
    .map(([, , code]) => code)

async function migration() {
  const dir = join(folder, 'migration')
  cpSync(at('pkg-tests/examples/peers'), dir, { recursive: true })
  await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], dir)
  await npm(['install', '--no-save', '--no-audit', '--no-fund', tarball], dir)
  for (const [i, code] of blocks('peers').entries()) {
    writeFileSync(join(dir, `${i}.mjs`), code)
    await run(process.execPath, [`${i}.mjs`], { cwd: dir, quiet: true })
  }
  const [code] = blocks('bundled')
  const parts = join(dir, 'node_modules/nidus-wasm/dist')
  await build({
    stdin: { contents: code, resolveDir: dir },
    outfile: join(dir, 'site/page.js'),
    bundle: true,
    format: 'esm',
    logLevel: 'error',
    external: ['fs', 'path', 'crypto', 'module', 'url'],
  })
  for (const name of [
    'worker.js',
    'nidus-first.wasm',
    'nidus-first-relaxed.wasm',
    'nidus-rest.wasm',
    'nidus-rest-relaxed.wasm',
    'nidus-codes.wasm',
    'nidus-codes-relaxed.wasm',
  ])
    cpSync(join(parts, name), join(dir, 'site', name))
  writeFileSync(join(dir, 'site/index.html'), '<!doctype html><script type="module" src="page.js"></script>')
  const server = await serveFolder(join(dir, 'site'))
  try {
    await inChromium(join(folder, 'migration-profile'), {}, async (page, complaints) => {
      const said = []
      // Other lines are hnswlib's, about its file system.
      page.on('console', (message) => /^[\d,]+$/.test(message.text()) && said.push(message.text()))
      await page.goto(server.origin)
      while (said.length < 2 && complaints.length === 0) await page.waitForEvent('console', { timeout: 600_000 })
      check(`hnswlib's and ours (${complaints.join()})`, said.join(' '), '0,1 0,1')
    })
  } finally {
    server.stop()
  }
}

/** Builds the example in which a user's wasm module contains the crate. */
async function rust() {
  const { wasm: tools } = await toolchain()
  const dir = join(folder, 'rust-wasm')
  cpSync(at('examples/rust-wasm'), dir, { recursive: true })
  const manifest = join(dir, 'Cargo.toml')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('path = "../.."', `path = ${JSON.stringify(at())}`))
  const env = { ...tools.env, CARGO_ENCODED_RUSTFLAGS: '', CARGO_TARGET_DIR: join(dir, 'target') }
  await run(tools.cargo, [...tools.select, 'build', '--release', '--target', TARGET, ...tools.flags], {
    cwd: dir,
    env,
    quiet: true,
  })
  const module = new WebAssembly.Module(readFileSync(join(dir, 'target', TARGET, 'release/rust_wasm.wasm')))
  check('imports', JSON.stringify(WebAssembly.Module.imports(module)), '[]')
  const { exports } = new WebAssembly.Instance(module)
  check(
    'exports',
    Object.keys(exports)
      .filter((name) => typeof exports[name] === 'function')
      .join(),
    'nearest_axis',
  )
  check('the nearest axis', `${exports.nearest_axis(0.1, 0.2, 0.9)}`, '2')
}

main(async () => {
  const chosen = process.argv.slice(2)
  const all = { react, cloudflare, server: service, extension, migration, rust }
  const failed = []
  try {
    tarball = await pack(folder)
    for (const [name, work] of Object.entries(all).filter(([name]) => chosen.length === 0 || chosen.includes(name))) {
      const began = performance.now()
      const error = await work().then(
        () => undefined,
        (error) => error,
      )
      say(`${name.padEnd(12)} ${error ? 'FAILED' : 'passed'} ${seconds(began)}`)
      if (error) {
        say(error instanceof Trouble ? error.message : error.stack)
        failed.push(name)
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  return failed.length ? 1 : 0
})
