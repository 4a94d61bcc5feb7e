// A browser keeps one complete version of a static store, whatever the server does while a newer version is fetched.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, firefox, type Browser, type BrowserContext, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Nidus, type StaticOptions as AllOptions } from 'nidus-wasm'
import * as launch from '../../scripts/browsers.mjs'
import { temporaryFolder } from '../common/folder'
import { EVERY_CASE, random } from '../common/model'
import { directory, serveStatic, type StaticServer, type Ways } from '../common/static-server.mjs'
import { repository } from './tarball.js'

type StaticOptions = Pick<AllOptions, 'cache' | 'memory' | 'timeout'>

const root = temporaryFolder('static-cache')
const D = 16
const ROWS = 3000
const { next } = random(21)
const query = Array.from({ length: D }, () => next() - 0.5)
const TYPES: Record<string, string> = { js: 'text/javascript', wasm: 'application/wasm' }
const PAGE =
  '<!doctype html><script type="module">import { Nidus } from "/dist/browser.js"; globalThis.Nidus = Nidus</script>'

/** The directories of the versions. v1 and v2 have the same number of rows and the same ids, but other vectors. */
const dirs: Record<string, string> = {}
const right: Record<string, unknown> = {}
beforeAll(async () => {
  for (const name of ['v1', 'v2']) {
    dirs[name] = join(root, name)
    const db = await Nidus.open(dirs[name], { dimension: D })
    await db.upsert('c', {
      ids: Array.from({ length: ROWS }, (_, i) => `d${name === 'v1' ? i : ROWS - 1 - i}`),
      vectors: Float32Array.from({ length: ROWS * D }, () => next() - 0.5),
    })
    right[name] = { hits: await db.search(query, { topK: 5 }), count: ROWS }
    await db.close()
  }
  // This version has the data of v1 and a longer log, because documents were deleted.
  dirs.grown = join(root, 'grown')
  const db = await Nidus.import(dirs.grown, dirs.v1!)
  await db.delete('c', ['d7', 'd8'])
  await db.close()
  right.grown = { hits: (right.v1 as { hits: unknown }).hits, count: ROWS - 2 }
})

describe.each(['chromium', 'firefox'] as const)('in %s', (name) => {
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let server: StaticServer
  let versions: { data: string; log: string }
  let changed: (path: string, bytes: Uint8Array) => Uint8Array

  beforeAll(async () => {
    browser = await { chromium, firefox }[name].launch(launch[name])
  })
  afterAll(() => browser?.close())

  beforeEach(async () => {
    versions = { data: 'v1', log: 'v1' }
    changed = (_, bytes) => bytes
    const files = Object.fromEntries(Object.entries(dirs).map(([version, dir]) => [version, directory('/x/', dir)]))
    server = await serveStatic(
      (path) => {
        const bytes = files[path.endsWith('data') ? versions.data : versions.log]!(path)
        return bytes && changed(path, bytes)
      },
      {},
      (path) => {
        if (path === '/page.html') return { type: 'text/html', bytes: Buffer.from(PAGE) }
        if (path === '/favicon.ico') return { type: 'image/x-icon', bytes: Buffer.alloc(0) }
        return path.startsWith('/dist/')
          ? { type: TYPES[path.split('.').at(-1)!] ?? 'text/plain', bytes: readFileSync(join(repository, path)) }
          : undefined
      },
    )
    context = await browser.newContext()
    page = await arrive()
  })
  afterEach(async () => {
    await context.close()
    await server.stop()
  })

  async function arrive() {
    const page = await context.newPage()
    await page.goto(`${server.origin}page.html`)
    await page.waitForFunction(() => 'Nidus' in globalThis)
    return page
  }
  const ask = (options: StaticOptions, on = page) =>
    on.evaluate(
      async ({ options, query }) => {
        try {
          const { Nidus } = globalThis as unknown as { Nidus: typeof import('nidus-wasm').Nidus }
          const db = await Nidus.fromStatic(new URL('x/', location.href), options)
          const hits = await db.search(Float32Array.from(query), { topK: 5 })
          const count = await db.count()
          await db.close()
          return { hits, count }
        } catch (error) {
          return { code: (error as { code?: string }).code ?? String(error) }
        }
      },
      { options, query },
    )
  const set = (ways: Ways, data = versions.data, log = versions.log) => {
    for (const key of Object.keys(server.ways)) delete server.ways[key as keyof Ways]
    Object.assign(server.ways, ways)
    versions = { data, log }
  }
  const offline = async (options: StaticOptions) => {
    set({ ...server.ways, status: 503 })
    return ask(options)
  }
  const SILENT = 300

  const KEPT: [StaticOptions][] = [
    [{ cache: 'opfs' }],
    [{ cache: 'opfs', memory: 'compact' }],
    [{ cache: 'cache-storage' }],
    [{ cache: 'cache-storage', memory: 'compact' }],
  ]
  // `npm test` tries two of these in each browser. `npm run test:long` tries all.
  const here = EVERY_CASE ? KEPT : KEPT.filter((_, n) => (n === 0 || n === 3) === (name === 'chromium'))
  describe.each(here)('kept with %j', (kept) => {
    // Only a server that never answers is waited for this long.
    const options = { ...kept, timeout: 300_000 }
    const servers: [string, Ways][] = [
      ['with ETags', {}],
      ['with neither ETags nor dates', { etags: false, dates: false }],
      ['without HEAD and ranges', { head: 405, ranges: false }],
    ]
    const turn = KEPT.findIndex(([one]) => one === kept)
    const mine = EVERY_CASE ? servers : [servers[turn % servers.length]!]
    describe.each(mine)('%s', (_, ways) => {
      it('keeps the old version if the newer one cannot be fetched whole', async () => {
        set(ways)
        expect(await ask(options)).toEqual(right.v1)
        const faults: [string, Ways, string, string, StaticOptions?][] = [
          ['data answers 503', { break: (path) => (path.endsWith('data') ? 503 : undefined) }, 'v2', 'v2'],
          ['log answers 503', { break: (path) => (path.endsWith('log') ? 503 : undefined) }, 'v2', 'v2'],
          ['data is gone', { break: (path) => (path.endsWith('data') ? 404 : undefined) }, 'v2', 'v2'],
          ['data breaks off', { break: (path) => (path.endsWith('data') ? 'cut' : undefined) }, 'v2', 'v2'],
          ['log breaks off', { break: (path) => (path.endsWith('log') ? 'cut' : undefined) }, 'v2', 'v2'],
          [
            'log is silent',
            { silent: (path) => (path.endsWith('log') ? 'body' : undefined) },
            'v2',
            'v2',
            { timeout: SILENT },
          ],
          ['only data is new', {}, 'v2', 'v1'],
          ['only log is new', {}, 'v1', 'v2'],
          ['a page answers', { page: true }, 'v2', 'v2'],
        ]
        for (const [fault, more, data, log, extra] of faults) {
          set({ ...ways, ...more }, data, log)
          expect(await ask({ ...options, ...extra }), fault).toEqual(right.v1)
          expect(await offline(options), `${fault}, then no server`).toEqual(right.v1)
        }
        set(ways, 'v2', 'v2')
        changed = (path, bytes) =>
          path.endsWith('log') ? bytes.map((byte, i) => (i === 300 ? byte ^ 1 : byte)) : bytes
        expect(await ask(options), 'damaged').toEqual(right.v1)
        expect(await offline(options), 'damaged, then no server').toEqual(right.v1)
        changed = (_, bytes) => bytes
        set(ways)
        expect(await ask(options)).toEqual(right.v2)
        expect(await offline(options)).toEqual(right.v2)
      })
    })

    it('takes a longer log with the same data as a new version, and one new file alone after some time', async () => {
      expect(await ask(options)).toEqual(right.v1)
      versions = { data: 'v1', log: 'grown' }
      expect(await ask(options)).toEqual(right.grown)
      // Now the data is of another version, with other vectors for the same ids.
      versions = { data: 'v2', log: 'grown' }
      expect(await ask(options)).toEqual(right.grown)
      await page.evaluate(() => {
        const now = Date.now.bind(Date)
        Date.now = () => now() + 11 * 60_000
      })
      const later = await ask(options)
      expect(later).toMatchObject({ count: ROWS - 2 })
      expect(later).not.toEqual(right.grown)
    })

    it('keeps both files of a newer version that two tabs fetch at once', async () => {
      expect(await ask(options)).toEqual(right.v1)
      const other = await arrive()
      versions = { data: 'v2', log: 'v2' }
      expect(await Promise.all([ask(options), ask(options, other), ask(options), ask(options, other)])).toEqual([
        right.v2,
        right.v2,
        right.v2,
        right.v2,
      ])
      expect(await offline(options)).toEqual(right.v2)
    })

    it('opens the store without keeping it if there is no room', async () => {
      await page.evaluate(() => {
        const full = () => Promise.reject(new DOMException('no room', 'QuotaExceededError'))
        Cache.prototype.put = full
        FileSystemFileHandle.prototype.createWritable = full
      })
      expect(await ask(options)).toEqual(right.v1)
      expect(await offline(options)).toEqual({ code: 'STORAGE_FAILED' })
    })

    it('ignores and removes files that an earlier version kept, and fetches damaged files again', async () => {
      await page.evaluate(async () => {
        for (const file of ['data', 'log']) {
          const url = new URL(`x/${file}`, location.href).href
          await (await caches.open('nidus-static')).put(url, new Response('old', { headers: { etag: '"old"' } }))
          const folder = await (
            await navigator.storage.getDirectory()
          ).getDirectoryHandle('nidus-static', { create: true })
          await folder.getFileHandle(encodeURIComponent(url), { create: true })
        }
      })
      expect(await ask(options)).toEqual(right.v1)
      const left = await page.evaluate(async (where) => {
        const names: string[] = []
        if (where === 'cache-storage') return (await (await caches.open('nidus-static')).keys()).map(({ url }) => url)
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-static')
        for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name)
        return names
      }, options.cache)
      expect(left).toEqual([])
      // The bytes of one kept file are replaced.
      await page.evaluate(async (where) => {
        if (where === 'cache-storage') {
          const cache = await caches.open('nidus-static-pairs')
          const log = (await cache.keys()).find(({ url }) => url.endsWith('.log'))!
          return cache.put(log, new Response('spoilt'))
        }
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-static-pairs')
        for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) {
          if (name.endsWith('.log')) await (await (await folder.getFileHandle(name)).createWritable()).close()
        }
      }, options.cache)
      expect(await ask(options)).toEqual(right.v1)
      expect(await offline(options)).toEqual(right.v1)
    })
  })
})
