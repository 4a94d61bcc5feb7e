import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium as engine } from 'playwright'
import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { chromium } from '../../scripts/browsers.mjs'

const checkout = fileURLToPath(new URL('../../', import.meta.url))
const shared = process.env['NIDUS_SHARED'] ?? join(checkout, '../shared')
const data = join(shared, 'data/npm-20k')
const there = existsSync(join(data, 'ground-truth.json'))
if (!there)
  process.stdout.write(
    'SKIPPED: the 30 queries of npm-20k: there is no shared/ beside this checkout (NIDUS_SHARED names another place)\n',
  )

/** A function of the page that imports a module, because the test runner rewrites `import()`. */
declare const load: (url: string) => Promise<unknown>

const D = 384,
  COUNT = 20_000,
  TOP = 100

interface Truth {
  top: number[]
  scores: number[]
}
type Found = [id: string, score: number][]

const floats = (bytes: Buffer) =>
  new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))

/**
 * Checks that the rows are the true ones. Two rows whose true scores differ by less than 1e-6 may stand in either
 * order, even at places 100 and 101.
 */
function check(found: Found[]) {
  const truth = JSON.parse(readFileSync(join(data, 'ground-truth.json'), 'utf8')) as Truth[]
  const vectors = floats(readFileSync(join(data, 'vectors.f32')))
  const queries = floats(readFileSync(join(data, 'queries.f32')))
  const exact = (q: number, row: number) => {
    let dot = 0,
      a = 0,
      b = 0
    for (let i = 0; i < D; i++) {
      const [x, y] = [queries[q * D + i]!, vectors[row * D + i]!]
      dot += x * y
      a += x * x
      b += y * y
    }
    return dot / Math.sqrt(a * b)
  }
  expect(found).toHaveLength(30)
  found.forEach((hits, q) => {
    expect(hits).toHaveLength(TOP)
    expect(new Set(hits.map(([id]) => id)).size).toBe(TOP)
    hits.forEach(([id, score], i) => {
      const [row, want] = [truth[q]!.top[i]!, truth[q]!.scores[i]!]
      expect(Math.abs(score - want), `query ${q}, hit ${i}`).toBeLessThan(1e-5)
      if (Number(id) !== row)
        expect(Math.abs(exact(q, Number(id)) - want), `query ${q}, hit ${i}: row ${id} instead of ${row}`).toBeLessThan(
          1e-6,
        )
    })
  })
}

describe.skipIf(!there)('the 30 queries of npm-20k have the true top 100', () => {
  it('in Node, from files', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nidus-truth-'))
    let db = await Nidus.open(join(directory, 'store'), { dimension: D })
    await db.upsert('npm', {
      ids: Array.from({ length: COUNT }, (_, i) => `${i}`),
      vectors: floats(readFileSync(join(data, 'vectors.f32'))),
    })
    await db.close()
    db = await Nidus.open(join(directory, 'store'))
    const queries = floats(readFileSync(join(data, 'queries.f32')))
    const found: Found[] = []
    for (let q = 0; q < 30; q++)
      found.push(
        (await db.search(queries.subarray(q * D, (q + 1) * D), { topK: TOP })).map(({ id, score }) => [id, score]),
      )
    await db.close()
    rmSync(directory, { recursive: true })
    check(found)
  })

  it('in Chromium, from OPFS, over a plain server, also after a reload', async () => {
    const types: Record<string, string> = {
      '.js': 'text/javascript',
      '.wasm': 'application/wasm',
      '.html': 'text/html',
    }
    const server = createServer((request, response) => {
      const name = request.url!.slice(1)
      const path = name === '' ? undefined : name.endsWith('.f32') ? join(data, name) : join(checkout, 'dist', name)
      if (path && !existsSync(path)) return response.writeHead(404).end()
      response.writeHead(200, { 'content-type': types[path ? extname(path) : '.html'] ?? 'application/octet-stream' })
      response.end(
        path
          ? readFileSync(path)
          : '<!doctype html><title>truth</title><link rel=icon href=data:,><script>load = (url) => ' +
              'import(url)</script>',
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${(server.address() as { port: number }).port}/`
    const browser = await engine.launch(chromium)
    try {
      const page = await browser.newPage()
      const said: string[] = []
      page.on('console', (message) => said.push(message.text()))
      page.on('pageerror', (error) => said.push(String(error)))
      await page.goto(address)
      await page.evaluate(
        async ({ count, dimension }) => {
          const { Nidus } = (await load('/browser.js')) as typeof import('nidus-wasm')
          const db = await Nidus.open('truth', { dimension })
          const vectors = new Float32Array(await (await fetch('/vectors.f32')).arrayBuffer())
          await db.upsert('npm', { ids: Array.from({ length: count }, (_, i) => `${i}`), vectors }, { transfer: true })
          // The store is not closed, because the page is reloaded while it is open.
        },
        { count: COUNT, dimension: D },
      )
      await page.reload()
      const found = await page.evaluate(
        async ({ dimension, topK }) => {
          const { Nidus } = (await load('/browser.js')) as typeof import('nidus-wasm')
          const db = await Nidus.open('truth')
          const queries = new Float32Array(await (await fetch('/queries.f32')).arrayBuffer())
          const all = await db.searchMany(
            Array.from({ length: 30 }, (_, q) => queries.slice(q * dimension, (q + 1) * dimension)),
            { topK },
          )
          await db.close()
          return all.map((hits) => hits.map(({ id, score }) => [id, score] as [string, number]))
        },
        { dimension: D, topK: TOP },
      )
      check(found)
      expect(said).toEqual([])
    } finally {
      await browser.close()
      server.close()
    }
  })
})
