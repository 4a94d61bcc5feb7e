// Real tabs: a site that serves the built package, and browsers whose pages run functions of the tests.
import { createServer } from 'node:http'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import playwright from 'playwright'
import * as browsers from '../../scripts/browsers.mjs'

const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' }
const dist = fileURLToPath(new URL('../../dist/', import.meta.url))

/** Returns a script: the package's worker, with a timer in which a second takes `tick` milliseconds. */
const quick = (tick) => `import '/dist/worker.js'
const { setInterval } = self
self.setInterval = (work, ms, ...more) => setInterval(work, ms === 1000 ? ${tick} : ms, ...more)`

/**
 * Starts a site. /dist/... is the package. /worker-of-100.js is its worker, in which a second takes 100 milliseconds.
 * Every other path is an empty page with the package as `window.nidus`. `missing` are names in /dist/ that are not
 * found. `shared` is called for the script of a shared worker, which is answered once it resolves.
 */
export async function site({ missing = [], shared = async () => {} } = {}) {
  const server = createServer(async ({ url, headers }, response) => {
    if (headers['sec-fetch-dest'] === 'sharedworker') await shared()
    const tick = /^\/worker-of-(\d+)\.js$/.exec(url ?? '')?.[1]
    if (tick) return response.writeHead(200, { 'content-type': TYPES['.js'] }).end(quick(tick))
    const path = /^\/dist\/([\w.-]+)$/.exec(url ?? '')?.[1]
    try {
      if (missing.includes(path)) throw new Error('missing')
      const body = path
        ? readFileSync(join(dist, path))
        : '<!doctype html><script type="module">window.nidus = await import("/dist/browser.js")</script>'
      response.writeHead(200, { 'content-type': TYPES[path ? extname(path) : '.html'] ?? 'text/plain' }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  }
}

/** Starts a browser with a new profile, or with the profile `kept`. */
export async function browser(kind, options = {}, kept = undefined) {
  const profile = kept ?? mkdtempSync(join(tmpdir(), `nidus-tabs-${kind}-`))
  const context = await playwright[kind].launchPersistentContext(profile, { ...browsers[kind], ...options })
  return {
    context,
    profile,
    async close() {
      await context.close().catch(() => {})
      if (!kept) rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Opens a page and resolves when `ready` is set in its window. */
export async function visit(context, url, { ready = 'nidus', timeout = 600_000 } = {}) {
  const page = await context.newPage()
  // On a busy machine, eight tabs may load slowly, and no test here is about loading.
  page.setDefaultTimeout(timeout)
  await page.goto(url)
  await page.waitForFunction((ready) => ready in window, ready)
  return page
}
