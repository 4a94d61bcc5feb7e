import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type * as Package from 'nidus-wasm'
import { browse, installed, session, type Session } from './driver.mjs'

/** A function of the page that imports the package, because the test runner rewrites `import()`. */
declare const load: () => Promise<typeof Package>

const here = installed()
if (!here) process.stdout.write('SKIPPED: WebKitGTK: there is no WebKitWebDriver, no MiniBrowser or no screen\n')

const TYPES: { [ending: string]: string } = { js: 'text/javascript', wasm: 'application/wasm' }
/** A page that stores records and reports which ones it found. The next page finds them again. */
const VISIT = `<!doctype html><script type="module">
  const tell = (what) => fetch('/tell', { method: 'POST', body: JSON.stringify(what) })
  try {
    const { Nidus } = await import('/browser.js')
    const directory = await navigator.storage?.getDirectory?.().then(() => true, () => false)
    const db = await Nidus.open('kept', { dimension: 3 })
    await db.upsert('c', [{ id: String(await db.count()), vector: [1, 0, 0] }])
    await tell({ directory: directory === true, storage: db.storage, count: await db.count() })
  } catch (error) {
    await tell({ error: String(error) })
  }
</script>`
let told: (what: string) => void = () => {}
const served = new Set<string>()
const server = createServer((request, response) => {
  if (request.method === 'POST') {
    let body = ''
    request
      .setEncoding('utf8')
      .on('data', (text: string) => (body += text))
      .on('end', () => (response.end(), told(body)))
    return
  }
  const name = /^\/([\w-]+\.\w+)$/.exec(request.url ?? '')?.[1]
  if (!name)
    return void response
      .setHeader('content-type', 'text/html')
      .end(request.url === '/visit' ? VISIT : '<!doctype html><script>load = () => import("/browser.js")</script>')
  served.add(name)
  readFile(new URL(`../../dist/${name}`, import.meta.url)).then(
    (bytes) => response.setHeader('content-type', TYPES[name.split('.').pop()!] ?? 'text/plain').end(bytes),
    () => response.writeHead(404).end(),
  )
})

describe.skipIf(!here)('WebKitGTK', () => {
  let browser: Session
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    browser = await session()
    await browser.go(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  })
  afterAll(async () => {
    await browser?.end()
    server.close()
  })

  it('makes its stores in IndexedDB, since OPFS has no handles there', async () => {
    const made = await browser.run(async () => {
      const { Nidus } = await load()
      const db = await Nidus.open('notes', { dimension: 3 })
      await db.upsert('c', [
        { id: 'a', vector: [1, 0, 0], attrs: { n: 1 } },
        { id: 'b', vector: [0, 1, 0], attrs: { n: 2 } },
      ])
      await db.upsert('c', [{ id: 'c', vector: [0, 0, 1] }])
      await db.delete('c', ['b'])
      const refused = await Nidus.open('others', { dimension: 3, storage: 'opfs' }).catch(
        (error: Package.NidusError) => error.code,
      )
      const { state } = await Nidus.persistence({ request: true, timeout: 5000 })
      return {
        storage: db.storage,
        count: await db.count(),
        refused,
        state,
        databases: (await indexedDB.databases()).map(({ name }) => name).sort(),
      }
    })
    expect(made).toEqual({
      storage: 'indexeddb',
      count: 2,
      refused: 'STORAGE_UNAVAILABLE',
      state: 'unknown',
      databases: ['nidus-wasm', 'nidus-wasm:notes'],
    })
    // This browser has relaxed SIMD only behind a switch, so it loads the other module.
    expect([...served].filter((name) => name.endsWith('.wasm'))).toEqual(['nidus-first.wasm'])
  })

  it('finds its stores after a reload without a close, compacts and searches', async () => {
    await browser.reload()
    const found = await browser.run(async () => {
      const { Nidus } = await load()
      const [info] = await Nidus.list()
      const db = await Nidus.open('notes')
      await db.compact()
      const hits = await db.search([1, 0.2, 0], { topK: 2 })
      const { rows, deadRows } = await db.footprint()
      const result = {
        info: [info!.name, info!.storage, info!.dimension],
        storage: db.storage,
        recovery: db.recovery.bytes,
        rows,
        deadRows,
        hits: hits.map(({ id, attrs }) => ({ id, ...attrs })),
      }
      await db.close()
      return result
    })
    expect(found).toEqual({
      info: ['notes', 'indexeddb', 3],
      storage: 'indexeddb',
      recovery: 0,
      rows: 2,
      deadRows: 0,
      hits: [{ id: 'a', n: 1 }, { id: 'c' }],
    })
  })

  it('keeps the kind of storage although OPFS has no handles, and keeps the store when it is killed', async () => {
    const home = mkdtempSync(join(tmpdir(), 'nidus-webkit-'))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/visit`
    const files = ['--features=+StorageAPI,+StorageAPIEstimate,+FileSystem,+AccessHandle,+FileSystemWritableStream']
    try {
      for (const [visit, args] of [files, [], files].entries()) {
        const answer = new Promise<string>((resolve) => (told = resolve))
        const person = await browse(url, home, args)
        const found = JSON.parse(await answer) as object
        await person.kill()
        expect(found).toEqual({ directory: args === files, storage: 'indexeddb', count: visit + 1 })
      }
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  })

  it('refuses a second page with LOCKED, and has the writes of a page that was left', async () => {
    const left = await browser.run(async () => {
      const { Nidus } = await load()
      const db = await Nidus.open('notes')
      const other = new Worker(
        URL.createObjectURL(
          new Blob(
            [
              `
        Object.defineProperty(globalThis, 'Worker', { value: undefined })
        import(${JSON.stringify(new URL('/browser.js', location.href).href)})
          .then(({ Nidus }) => Nidus.open('notes', { multiTab: false }))
          .then(() => postMessage('opened'), (error) => postMessage(error.code + ' ' + error.message))
      `,
            ],
            { type: 'text/javascript' },
          ),
        ),
        { type: 'module' },
      )
      const answer = await new Promise<string>((resolve) => (other.onmessage = ({ data }) => resolve(data as string)))
      for (let i = 0; i < 50; i++) await db.upsert('c', [{ id: `${i}`, vector: [i, 1, 0] }])
      return { answer, count: await db.count() }
    })
    expect(left).toEqual({ answer: expect.stringContaining('LOCKED'), count: 52 })
    await browser.reload()
    const count = await browser.run(async () => {
      const { Nidus } = await load()
      const db = await Nidus.open('notes')
      const count = await db.count()
      await db.close()
      await Nidus.destroy('notes')
      return [count, (await Nidus.list()).length]
    })
    expect(count).toEqual([52, 0])
  })
})
