// Tests stores that are served as plain files. Compares them with the same stores, opened from their folder.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Nidus, type SearchOptions, type StaticOptions } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { openBrowser, repository } from './tarball.js'
import { directory, serveStatic, type StaticServer, type Ways } from '../common/static-server.mjs'
import { until } from '../common/until'

const root = temporaryFolder('static')
const D = 96
const open: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const close of open) await close().catch(() => {})
})

/** Writes a store that has replaced and deleted documents, collections, and attributes of all types. */
async function write(name: string, seed: number, rows: number, compacted = false) {
  const { next, int: below } = random(seed)
  const db = await Nidus.open(join(root, name), { dimension: D })
  for (let at = 0; at < rows; at += 500) {
    const count = Math.min(500, rows - at)
    const ids = Array.from({ length: count }, (_, i) => `d${below(4) ? at + i : below(at + 1)}-${i}`)
    await db.upsert(below(3) ? 'a' : 'b', {
      ids,
      vectors: Float32Array.from({ length: count * D }, () => next() - 0.5),
      attrs: ids.map((_, i) => ({ n: i % 7, path: `src/${i % 13}.rs`, ...(i % 5 ? { tags: ['x', `${i % 3}`] } : {}) })),
    })
  }
  await db.deleteWhere('a', { n: 3 })
  if (compacted) await db.compact()
  await db.close()
  return join(root, name)
}

const OPTIONS: SearchOptions[] = [
  {},
  { topK: 3, withVectors: true },
  { topK: 25, filter: { n: { $in: [1, 2] }, path: { $glob: 'src/1*.rs' } } },
  { collections: 'b', minScore: 0.05 },
]

/** Checks that everything that can be read from `found` is the same as in the store in `dir`. */
async function expectSame(found: Nidus, dir: string, seed = 5) {
  const truth = await Nidus.open(dir, { readOnly: true })
  const { next } = random(seed)
  expect(await found.count()).toBe(await truth.count())
  expect(await found.collections()).toEqual(await truth.collections())
  for (const option of OPTIONS) {
    const queries = Array.from({ length: 3 }, () => Float32Array.from({ length: D }, () => next() - 0.5))
    expect(await found.searchMany(queries, option)).toEqual(await truth.searchMany(queries, option))
    for (const query of queries) expect(await found.search(query, option)).toEqual(await truth.search(query, option))
  }
  expect(await found.get('a', ['d1-1', 'd2-2', 'none'])).toEqual(await truth.get('a', ['d1-1', 'd2-2', 'none']))
  await truth.close()
}

let big: string
let other: string
let server: StaticServer
/** The files that the last server serves now. */
let now: { files(path: string): Uint8Array | undefined }

async function serve(ways: Ways = {}) {
  const mine = (now = { files: directory('/index/', big) })
  server = await serveStatic((path) => mine.files(path), ways)
  open.push(() => server.stop())
  return `${server.origin}index`
}
const opened = async (url: string, options?: StaticOptions) => {
  const db = await Nidus.fromStatic(url, options)
  open.push(() => db.close())
  return db
}
const refused = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing',
    (error: { code?: string }) => error.code,
  )

beforeAll(async () => {
  big = await write('big', 1, 6000)
  other = await write('other', 2, 6000)
})

describe('by HTTP', () => {
  it.each<[string, Ways, StaticOptions]>([
    ['in full', {}, {}],
    ['in compact memory', {}, { memory: 'compact' }],
    ['in full, from a server without ranges', { ranges: false }, {}],
    ['in full, from a server that compresses unasked', { ranges: false, gzip: true }, {}],
    ['with weak tags', { etags: 'weak' }, { memory: 'compact' }],
    ['with dates alone', { etags: false }, { memory: 'compact' }],
    ['with neither', { etags: false, dates: false }, { memory: 'compact' }],
    ['slowly', { slow: 5 }, { memory: 'compact' }],
  ])('answers as the store itself does: %s', async (_, ways, options) => {
    const url = await serve(ways)
    const seen: [number, number][] = []
    const db = await opened(url, { ...options, onProgress: (done, total) => seen.push([done, total]) })
    await new Promise((resolve) => setTimeout(resolve))
    const size = readFileSync(join(big, 'data')).length + readFileSync(join(big, 'log')).length
    expect(seen.at(-1)).toEqual([size, size])
    expect(seen.every(([done], i) => i === 0 || done >= seen[i - 1]![0])).toBe(true)
    await expectSame(db, big)
    await db.close()
    await server.stop()
  })

  it('serves generated stores, as they are and compacted, with a slash or a query in the address', async () => {
    for (let seed = 10; seed < 16; seed++) {
      const dir = await write(`g${seed}`, seed, [0, 1, 17, 400, 1300, 2600][seed - 10]!, seed % 2 === 0)
      const from = await serveStatic(directory('/x/', dir))
      for (const [address, options] of [
        [`${from.origin}x/`, {}],
        [`${from.origin}x?v=1`, { memory: 'compact' }],
        [new URL('x', from.origin), {}],
      ] as const) {
        const db = await Nidus.fromStatic(address, options)
        await expectSame(db, dir, seed)
        await db.close()
      }
      await from.stop()
    }
  })

  it('fetches little in few requests for a search in compact memory', async () => {
    const url = await serve()
    const db = await opened(url, { memory: 'compact' })
    await until('codes of 5,900 rows', async () => (await db.footprint()).codedRows >= 5900)
    const before = server.asked.length
    const { next } = random(3)
    const queries = 20
    for (let i = 0; i < queries; i++) await db.search(Float32Array.from({ length: D }, () => next() - 0.5))
    const asked = server.asked.slice(before)
    // With uniform random vectors, a search has to read about 150 rows.
    expect(asked.reduce((sum, { sent }) => sum + sent, 0) / queries).toBeLessThan(
      0.7 * readFileSync(join(big, 'data')).length,
    )
    expect(asked.length / queries).toBeLessThan(20)
    expect(asked.every(({ range, headers }) => range !== undefined && headers['if-match'] !== undefined)).toBe(true)
  })

  it('takes two addresses, Blobs, and headers of the caller', async () => {
    const url = await serve()
    const db = await opened(url, { headers: { authorization: 'Bearer x' } })
    await db.close()
    expect(server.asked.every(({ headers }) => headers.authorization === 'Bearer x')).toBe(true)
    const pair = await Nidus.fromStatic({ data: `${url}/data`, log: new URL(`${url}/log`) })
    await expectSame(pair, big)
    await pair.close()
    const blobs = await Nidus.fromStatic(
      { data: new Blob([readFileSync(join(big, 'data'))]), log: new Blob([readFileSync(join(big, 'log'))]) },
      { memory: 'compact' },
    )
    await expectSame(blobs, big)
    await blobs.close()
  })

  it('refuses writes', async () => {
    const db = await opened(await serve())
    expect(await refused(db.upsert('a', [{ id: 'x', vector: new Float32Array(D).fill(1) }]))).toBe('READ_ONLY')
    expect(await refused(db.delete('a', ['d1-1']))).toBe('READ_ONLY')
    expect(await refused(db.compact())).toBe('READ_ONLY')
    await expectSame(db, big)
  })
})

describe('a file that changes leads to an error, and never to a mix of two versions', () => {
  const swap = (names: string[]) => {
    const [mine, theirs] = [directory('/index/', big), directory('/index/', other)]
    now.files = (path) => (names.some((name) => path.endsWith(name)) ? theirs(path) : mine(path))
  }

  it.each<[string, Ways]>([
    ['noticed by If-Match', {}],
    ['noticed by the answer', { deaf: true }],
    ['noticed by a weak tag', { etags: 'weak' }],
    ['noticed by the date', { etags: false }],
  ])('between searches: %s', async (_, ways) => {
    const db = await opened(await serve(ways), { memory: 'compact' })
    await expectSame(db, big)
    swap(['data', 'log'])
    const { next } = random(77)
    let codes: (string | undefined)[] = []
    for (let i = 0; i < 8; i++)
      codes.push(
        await refused(
          db.search(
            Float32Array.from({ length: D }, () => next() - 0.5),
            { topK: 50 },
          ),
        ),
      )
    codes = codes.filter((code) => code !== 'nothing')
    expect(codes.length).toBeGreaterThan(0)
    expect(new Set(codes)).toEqual(new Set(['STORAGE_FAILED']))
  })

  it.each([['data'], ['log'], ['both']])('at any moment of an opening: %s', async (what) => {
    for (const memory of ['full', 'compact'] as const) {
      for (const ranges of memory === 'full' ? [true, false] : [true]) {
        // The second request is for the log. If the log had changed before it, the store would only see the new log.
        for (let after = what === 'log' ? 2 : 1; after < 14; after++) {
          const url = await serve({ ranges })
          const names = what === 'both' ? ['data', 'log'] : [what]
          let count = 0
          const before = now.files
          const theirs = directory('/index/', other)
          now.files = (path) =>
            count++ >= after && names.some((name) => path.endsWith(name)) ? theirs(path) : before(path)
          const outcome = await Nidus.fromStatic(url, { memory }).then(
            async (db) => {
              // The opening was complete before the files changed.
              const code =
                memory === 'full' ? await expectSame(db, big).then(() => 'same') : await refused(expectSame(db, big))
              await db.close()
              return code
            },
            (error: { code?: string }) => error.code,
          )
          expect(['same', 'nothing', 'STORAGE_FAILED', 'CORRUPT'], `${what}, ${memory}, after ${after}`).toContain(
            outcome,
          )
          await server.stop()
        }
      }
    }
  })
})

describe('an error says what is wrong', () => {
  it.each<[string, Ways, StaticOptions, string]>([
    ['nothing there', { status: 404 }, {}, 'NOT_FOUND'],
    ['a server in trouble', { status: 503 }, {}, 'STORAGE_FAILED'],
    ['not allowed', { status: 403 }, {}, 'STORAGE_FAILED'],
    ['no ranges for compact memory', { ranges: false }, { memory: 'compact' }, 'UNSUPPORTED'],
    ['answers that break off', { cut: 1000 }, {}, 'STORAGE_FAILED'],
    ['answers that break off, whole', { cut: 100_000, ranges: false }, {}, 'STORAGE_FAILED'],
    ['less than the range', { short: 5 }, {}, 'STORAGE_FAILED'],
    ['another range than asked for', { shifted: true }, {}, 'STORAGE_FAILED'],
    ['a cache where there is none', {}, { cache: 'opfs' }, 'STORAGE_UNAVAILABLE'],
    ['an option of another call', {}, { dimension: 5 } as StaticOptions, 'INVALID_ARGUMENT'],
    ['what is no option', {}, { cache: 'disk' } as unknown as StaticOptions, 'INVALID_ARGUMENT'],
    ['no deadline', {}, { timeout: Infinity }, 'INVALID_ARGUMENT'],
  ])('%s', async (_, ways, options, code) => {
    expect(await refused(Nidus.fromStatic(await serve(ways), options))).toBe(code)
    await server.stop()
  })

  it('with a file that is damaged or no store', async () => {
    const url = await serve()
    const right = now.files
    now.files = (path) =>
      path.endsWith('data') ? Buffer.from('<!doctype html><title>Not found</title>'.repeat(50)) : right(path)
    expect(await refused(Nidus.fromStatic(url))).toMatch(/CORRUPT|UNSUPPORTED_VERSION/)
    now.files = (path) => {
      const bytes = right(path)
      return path.endsWith('log') ? bytes?.map((byte, i) => (i === 300 ? byte ^ 1 : byte)) : bytes
    }
    expect(await refused(Nidus.fromStatic(url))).toBe('CORRUPT')
    expect(await refused(Nidus.fromStatic('nowhere'))).toBe('INVALID_ARGUMENT')
    expect(await refused(Nidus.fromStatic('http://127.0.0.1:1/x'))).toBe('STORAGE_FAILED')
    expect(await refused(Nidus.fromStatic(7 as never))).toBe('INVALID_ARGUMENT')
  })

  it('when it was aborted at any moment', async () => {
    const url = await serve({ slow: 3 })
    expect(await refused(Nidus.fromStatic(url, { signal: AbortSignal.abort() }))).toBe('ABORTED')
    for (const ms of [1, 5, 10, 15])
      expect(await refused(Nidus.fromStatic(url, { memory: 'compact', signal: AbortSignal.timeout(ms) }))).toBe(
        'ABORTED',
      )
  })
})

describe('in Chromium', () => {
  const TYPES: Record<string, string> = { js: 'text/javascript', wasm: 'application/wasm', html: 'text/html' }
  let browser: Awaited<ReturnType<typeof openBrowser>>
  let site: StaticServer
  let page: Page
  let now: (path: string) => Uint8Array | undefined

  const arrive = async () => {
    await page.goto(`${site.origin}page.html`)
    await page.waitForFunction(() => 'Nidus' in globalThis)
  }
  /** Opens the store, searches, and closes it. The server records the requests. */
  const ask = async (options: object, query: number[], address = 'index/') => {
    site.asked.length = 0
    return page.evaluate(
      async ({ options, query, address }) => {
        try {
          const { Nidus } = globalThis as unknown as { Nidus: typeof import('nidus-wasm').Nidus }
          const db = await Nidus.fromStatic(new URL(address, location.href), options)
          const hits = await db.search(Float32Array.from(query), { topK: 7 })
          const count = await db.count()
          await db.close()
          return { hits, count }
        } catch (error) {
          return { code: (error as { code?: string }).code ?? String(error) }
        }
      },
      { options, query, address },
    )
  }
  const truth = async (dir: string, query: number[]) => {
    const db = await Nidus.open(dir, { readOnly: true })
    const answer = { hits: await db.search(Float32Array.from(query), { topK: 7 }), count: await db.count() }
    await db.close()
    return answer
  }
  const { next } = random(8)
  const query = () => Array.from({ length: D }, () => next() - 0.5)

  beforeAll(async () => {
    now = directory('/index/', big)
    const script =
      '<!doctype html><script type="module">import { Nidus } from "/dist/browser.js"; globalThis.Nidus = Nidus</script>'
    site = await serveStatic(
      (path) => now(path),
      {},
      (path) => {
        if (path === '/page.html') return { type: 'text/html', bytes: Buffer.from(script) }
        if (path === '/favicon.ico') return { type: 'image/x-icon', bytes: Buffer.alloc(0) }
        return path.startsWith('/dist/')
          ? { type: TYPES[path.split('.').at(-1)!] ?? 'text/plain', bytes: readFileSync(join(repository, path)) }
          : undefined
      },
    )
    browser = await openBrowser(join(root, 'profile'))
    page = browser.context.pages()[0] ?? (await browser.context.newPage())
    await arrive()
  })
  afterAll(async () => {
    await browser?.context.close()
    await site?.stop()
  })

  it.each([[{}], [{ memory: 'compact' }]])('answers as the original store does: %j', async (options) => {
    const q = query()
    expect(await ask(options, q)).toEqual(await truth(big, q))
    expect(site.asked.some(({ status }) => status === 206)).toBe(true)
  })

  it.each([['opfs'], ['cache-storage']])(
    'keeps the files, asks whether they have changed, and works without a network: %s',
    async (cache) => {
      const q = query()
      const right = await truth(big, q)
      expect(await ask({ cache }, q)).toEqual(right)
      expect(site.asked.filter(({ status, method }) => status === 200 && method === 'GET').length).toBe(2)
      await arrive()
      for (const memory of ['full', 'compact']) {
        expect(await ask({ cache, memory }, q)).toEqual(right)
        expect(site.asked.reduce((sum, { method, sent }) => sum + (method === 'GET' ? sent : 0), 0)).toBe(0)
      }
      site.ways.status = 503
      expect(await ask({ cache }, q)).toEqual(right)
      site.ways.status = undefined
      const { origin } = site
      await site.stop()
      expect(await ask({ cache }, q)).toEqual(right)
      expect(await ask({ cache }, q, 'another/')).toEqual({ code: 'STORAGE_FAILED' })
      await site.start()
      expect(site.origin).toBe(origin)
      // After a download that breaks off, the old files are still there and are used.
      now = directory('/index/', other)
      site.ways.cut = 50_000
      expect(await ask({ cache }, q)).toEqual(right)
      site.ways.cut = undefined
      now = directory('/index/', big)
      expect(await ask({ cache }, q)).toEqual(right)
      expect(site.asked.reduce((sum, { method, sent }) => sum + (method === 'GET' ? sent : 0), 0)).toBe(0)
      now = directory('/index/', other)
      expect(await ask({ cache }, q)).toEqual(await truth(other, q))
      now = directory('/index/', big)
    },
  )
})
