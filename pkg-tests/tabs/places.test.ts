import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BrowserContext, Frame, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firefox as firefoxSettings } from '../../scripts/browsers.mjs'
import { browser } from './pages.mjs'

const dist = fileURLToPath(new URL('../../dist/', import.meta.url))
const servers: Server[] = []
afterAll(() => servers.forEach((server) => (server.closeAllConnections(), server.close())))

/** Starts a server. `allow` says which files pages of other origins may import. */
async function serve(pages: Record<string, string>, allow = (_file: string) => false) {
  const server = createServer(({ url }, response) => {
    const path = new URL(url ?? '', 'http://localhost').pathname
    const file = /^\/dist\/([\w.-]+)$/.exec(path)?.[1]
    const type = file?.endsWith('.js') ? 'text/javascript' : file?.endsWith('.wasm') ? 'application/wasm' : 'text/html'
    if (path === '/none') return response.writeHead(404).end()
    const cors = file && allow(file) ? { 'access-control-allow-origin': '*' } : {}
    try {
      response
        .writeHead(200, { 'content-type': type, ...cors })
        .end(file ? readFileSync(join(dist, file)) : pages[path])
    } catch {
      response.writeHead(404).end()
    }
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const page = (from: string) =>
  `<!doctype html><script type="module">window.package = await import("${from}/dist/browser.js")</script>`

/**
 * In the page: opens, uses and closes a store of each kind, and asks for `list` and `persistence`. Returns the results.
 */
const tried = (where: Page | Frame) =>
  where.evaluate(async () => {
    const { Nidus } = window.package as unknown as typeof import('nidus-wasm')
    const outcome = async (work: () => Promise<unknown>) => {
      try {
        return await work()
      } catch (error) {
        const { code, message } = error as { code?: string; message: string }
        return `${code}: ${message}`
      }
    }
    const used = (storage: string | undefined) =>
      outcome(async () => {
        const name = `odd ${storage}`
        const db = await Nidus.open(name, { dimension: 2, ...(storage && { storage: storage as 'opfs' }) })
        await db.upsert('c', [{ id: 'a', vector: [1, 2] }])
        const [hit] = await db.search([1, 2])
        await db.close()
        if (storage !== 'memory') await Nidus.destroy(name)
        return `${db.storage} ${hit!.id}`
      })
    return {
      chosen: await used(undefined),
      memory: await used('memory'),
      indexeddb: await used('indexeddb'),
      opfs: await used('opfs'),
      list: await outcome(() => Nidus.list()),
      destroy: await outcome(() => Nidus.destroy('none')),
      persistence: await outcome(async () => typeof (await Nidus.persistence()).state),
      // If the cache is available, these calls request the files, which do not exist.
      keptInOpfs: await outcome(() => Nidus.fromStatic({ data: '/none', log: '/none' }, { cache: 'opfs' })),
      keptInCache: await outcome(() => Nidus.fromStatic({ data: '/none', log: '/none' }, { cache: 'cache-storage' })),
    }
  }) as Promise<Record<string, string>>

const visit = async (context: BrowserContext, url: string) => {
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForFunction(() => 'package' in window)
  return page
}

const NONE = expect.stringMatching(/^(NOT_FOUND|CORRUPT): /) as string
const DENIED = expect.stringMatching(/^STORAGE_UNAVAILABLE: /) as string
/** The results in a page without storage. */
const ONLY_MEMORY = {
  chosen: DENIED,
  memory: 'memory a',
  indexeddb: DENIED,
  opfs: DENIED,
  list: DENIED,
  destroy: DENIED,
  persistence: 'string',
  keptInOpfs: DENIED,
  keptInCache: DENIED,
}

describe.each(['chromium', 'firefox'] as const)('%s', (kind) => {
  let own: Awaited<ReturnType<typeof browser>>
  beforeAll(async () => {
    own = await browser(kind)
  })
  afterAll(() => own?.close())

  it('works from another origin that allows the import of all files', async () => {
    const cdn = await serve({}, () => true)
    const home = await serve({ '/': page(cdn) })
    const where = await visit(own.context, home)
    expect(await tried(where)).toEqual({
      chosen: 'opfs a',
      memory: 'memory a',
      indexeddb: 'indexeddb a',
      opfs: 'opfs a',
      list: [],
      destroy: undefined,
      persistence: 'string',
      keptInOpfs: NONE,
      keptInCache: NONE,
    })
    await where.close()
  })

  it("works in the page's own thread if another origin forbids the import of its worker", async () => {
    const cdn = await serve({}, (file) => !file.startsWith('worker'))
    const home = await serve({ '/': page(cdn) })
    const where = await visit(own.context, home)
    expect(await tried(where)).toEqual({
      chosen: 'indexeddb a',
      memory: 'memory a',
      indexeddb: 'indexeddb a',
      opfs: expect.stringMatching(/^STORAGE_UNAVAILABLE: the storage "opfs" needs a worker; .*\(CORS\)/) as string,
      list: [],
      destroy: undefined,
      persistence: 'string',
      keptInOpfs: NONE,
      keptInCache: NONE,
    })
    await where.close()
  })

  it('opens only stores in memory in a sandboxed frame, and refuses the others with STORAGE_UNAVAILABLE', async () => {
    for (const allow of [() => true, (file: string) => !file.startsWith('worker')]) {
      const home: string = await serve(
        { '/frame': page(''), '/': '<!doctype html><iframe sandbox="allow-scripts" src="/frame"></iframe>' },
        allow,
      )
      const where = await own.context.newPage()
      await where.goto(home)
      const frame = where.frames().find((frame) => frame.url().endsWith('/frame'))!
      await frame.waitForFunction(() => 'package' in window)
      expect(await frame.evaluate(() => self.origin)).toBe('null')
      expect(await tried(frame)).toEqual(ONLY_MEMORY)
      await where.close()
    }
  })

  it('opens only stores in memory if the user blocks site data, and refuses others: STORAGE_UNAVAILABLE', async () => {
    const profile = mkdtempSync(join(tmpdir(), 'nidus-blocked-'))
    mkdirSync(join(profile, 'Default'))
    writeFileSync(
      join(profile, 'Default', 'Preferences'),
      JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }),
    )
    const options =
      kind === 'firefox'
        ? { firefoxUserPrefs: { ...firefoxSettings.firefoxUserPrefs, 'network.cookie.cookieBehavior': 2 } }
        : {}
    const blocked = await browser(kind, options, profile)
    try {
      const home = await serve({ '/': page('') })
      const where = await visit(blocked.context, home)
      // Storage is really blocked here.
      expect(
        await where.evaluate(() => {
          try {
            return typeof localStorage
          } catch (error) {
            return (error as Error).name
          }
        }),
      ).toBe('SecurityError')
      expect(await tried(where)).toEqual(ONLY_MEMORY)
    } finally {
      await blocked.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  })

  it("works in the page's own thread if a policy forbids workers (worker-src 'none')", async () => {
    const home = await serve({
      '/':
        '<!doctype html><meta http-equiv="content-security-policy" content="worker-src ' +
        `'none'">${page('').slice('<!doctype html>'.length)}`,
    })
    const where = await visit(own.context, home)
    expect(await tried(where)).toMatchObject({
      chosen: 'indexeddb a',
      memory: 'memory a',
      indexeddb: 'indexeddb a',
      opfs: expect.stringMatching(/^STORAGE_UNAVAILABLE: the storage "opfs" needs a worker; /) as string,
      list: [],
      destroy: undefined,
      persistence: 'string',
    })
    await where.close()
  })

  it('reports STORAGE_UNAVAILABLE if the getters of the browser throw', async () => {
    const home = await serve({ '/': page('') })
    const where = await own.context.newPage()
    await where.addInitScript(() => {
      for (const [on, name] of [
        [window, 'indexedDB'],
        [window, 'localStorage'],
        [window, 'caches'],
        [navigator, 'storage'],
      ] as const) {
        Object.defineProperty(on, name, {
          get() {
            throw new DOMException('denied', 'SecurityError')
          },
        })
      }
    })
    await where.goto(home)
    await where.waitForFunction(() => 'package' in window)
    // The getters throw only in the page, and not in the worker.
    expect(await tried(where)).toMatchObject({
      chosen: 'opfs a',
      memory: 'memory a',
      persistence: 'string',
      keptInOpfs: DENIED,
      keptInCache: DENIED,
    })
    await where.close()
  })
})
