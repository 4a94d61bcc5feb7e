// Servers and buckets that fail in the middle, answer wrongly, or stop answering.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Nidus, type StaticBucket, type StaticOptions } from 'nidus-wasm'
import { SOON, turnsOf } from '../common/api'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { directory, serveStatic, type StaticServer, type Ways } from '../common/static-server.mjs'

const root = temporaryFolder('static-faults')
const D = 96
const ROWS = 6000
const { next } = random(11)
const vector = () => Float32Array.from({ length: D }, () => next() - 0.5)

async function write(name: string, rows: number) {
  const db = await Nidus.open(join(root, name), { dimension: D })
  if (rows)
    await db.upsert('c', {
      ids: Array.from({ length: rows }, (_, i) => `${name}-${i}`),
      vectors: Float32Array.from({ length: rows * D }, () => next() - 0.5),
    })
  await db.close()
  return join(root, name)
}
let v1: string
let v2: string
let none: string
beforeAll(async () => {
  v1 = await write('v1', ROWS)
  v2 = await write('v2', ROWS)
  none = await write('none', 0)
})
const ended: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end()
})

let server: StaticServer
let files: (path: string) => Uint8Array | undefined
async function serve(ways: Ways = {}, dir = v1) {
  files = directory('/x/', dir)
  server = await serveStatic((path) => files(path), ways)
  ended.push(() => server.stop())
  return `${server.origin}x/`
}
const opened = async (url: string, options?: StaticOptions) => {
  const db = await Nidus.fromStatic(url, options)
  ended.push(() => db.close())
  return db
}
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: 'none', message: '' }),
    ({ code, message }: { code: string; message: string }) => ({ code, message }),
  )
const codeOf = async (promise: Promise<unknown>) => (await outcome(promise)).code
/** Returns a promise and the function that resolves it. */
function signal() {
  let resolve!: () => void
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}
/** Aborts a call. Returns how many turns of the event loop passed until the call ended. */
async function heard(stop: AbortController, promise: Promise<unknown>) {
  stop.abort()
  const turns = await turnsOf(promise)
  expect(await codeOf(promise)).toBe('ABORTED')
  return turns
}

describe('a server', () => {
  it.each<[string, Ways, StaticOptions]>([
    ['with ranges', {}, {}],
    ['with ranges, compact', {}, { memory: 'compact' }],
    ['without ranges', { ranges: false }, {}],
    ['that refuses HEAD', { head: 405 }, {}],
    ['with neither ETag nor date', { etags: false, dates: false }, {}],
  ])('serves an index with an empty log: %s', async (_, ways, options) => {
    const db = await opened(await serve(ways, none), options)
    expect(await db.count()).toBe(0)
    expect(await db.search(vector())).toEqual([])
  })

  it.each<[string, Ways]>([
    ['with ETags', { head: 405 }],
    ['with neither ETag nor date', { head: 501, etags: false, dates: false }],
    ['without ranges', { head: 403, ranges: false }],
    ['without anything', { head: 404, ranges: false, etags: false, dates: false }],
  ])('may refuse HEAD: %s', async (_, ways) => {
    const db = await opened(await serve(ways))
    expect(await db.count()).toBe(ROWS)
  })

  it.each<[string, Ways]>([
    ['by ranges', {}],
    ['whole', { ranges: false }],
    ['whole, and no HEAD', { ranges: false, head: 405 }],
  ])('without ETags and dates is noticed when a length or bytes change while it is read: %s', async (_, ways) => {
    for (const [name, change] of [
      ['longer', (bytes: Uint8Array) => Buffer.concat([bytes, bytes.subarray(64, 64 + D * 4)])],
      [
        'as long',
        (bytes: Uint8Array) => Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 2 ? byte ^ 1 : byte)),
      ],
    ] as const) {
      const url = await serve({ etags: false, dates: false, ...ways })
      const mine = files
      let seen = 0
      files = (path) => {
        // When the log is requested for the last time, all of the data has been read. From then on the data is another
        // one.
        if (path.endsWith('log')) seen++
        const bytes = mine(path)!
        return seen >= (ways.ranges === false ? 1 : 2) && path.endsWith('data') ? change(bytes) : bytes
      }
      expect(await outcome(Nidus.fromStatic(url)), name).toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining('has changed') as string,
      })
      await server.stop()
    }
  })

  it('that answers with a page is reported as such', async () => {
    for (const ways of [{ page: true }, { page: true, ranges: false }]) {
      for (const memory of ['full', 'compact'] as const) {
        const { code, message } = await outcome(Nidus.fromStatic(await serve(ways), { memory }))
        expect(code).toBe('CORRUPT')
        expect(message).toContain('is no store: the server answered with an HTML page')
      }
    }
  })

  it('that sends an endless body is cut off', async () => {
    const cut = signal()
    const url = await serve({ endless: true, onCut: cut.resolve })
    const { code, message } = await outcome(Nidus.fromStatic(url))
    expect(code).toBe('STORAGE_FAILED')
    expect(message).toContain('that it announced')
    await cut.promise
  })

  it.each<[string, Ways]>([
    ['longer than announced', { longer: 5 }],
    ['shorter than announced', { short: 5 }],
  ])('whose bodies are %s is refused', async (_, ways) => {
    expect(await codeOf(Nidus.fromStatic(await serve(ways)))).toBe('STORAGE_FAILED')
  })

  it('may redirect', async () => {
    const target = await serve()
    const { createServer } = await import('node:http')
    const door = createServer((request, response) =>
      response.writeHead(302, { location: `${target}${request.url!.slice(1)}` }).end(),
    )
    await new Promise<void>((listening) => door.listen(0, '127.0.0.1', listening))
    ended.push(() => new Promise((closed) => (door.closeAllConnections(), door.close(closed))))
    const db = await opened(`http://127.0.0.1:${(door.address() as { port: number }).port}/`, { memory: 'compact' })
    expect(await db.count()).toBe(ROWS)
  })
})

describe('a server that stops answering', () => {
  it.each(['head', 'body'] as const)(
    'during an opening: the deadline or the signal ends the wait (no %s)',
    async (what) => {
      for (const file of ['data', 'log']) {
        const silent = signal()
        const url = await serve({
          silent: (path) => (path.endsWith(file) ? what : undefined),
          onSilent: silent.resolve,
        })
        expect(await outcome(Nidus.fromStatic(url, { timeout: 200 }))).toMatchObject({
          code: 'STORAGE_FAILED',
          message: expect.stringContaining('nothing came for 0.2 seconds') as string,
        })
        const stop = new AbortController()
        const again = signal()
        server.ways.onSilent = again.resolve
        const opening = Nidus.fromStatic(url, { signal: stop.signal })
        await again.promise
        expect(await heard(stop, opening)).toBeLessThan(SOON)
        await server.stop()
      }
    },
  )

  it('after an opening: a search ends by its signal, other calls by the deadline, and close at once', async () => {
    for (const ended of ['signal', 'deadline', 'close']) {
      const db = await Nidus.fromStatic(await serve(), {
        memory: 'compact',
        timeout: ended === 'deadline' ? 200 : 60_000,
      })
      const silent = signal()
      Object.assign(server.ways, { silent: () => 'body', onSilent: silent.resolve } satisfies Ways)
      const stop = new AbortController()
      const search = db.search(vector(), { signal: stop.signal })
      await silent.promise
      const get = db.get('c', ['v1-0', 'v1-3000'])
      if (ended === 'signal') {
        expect(await heard(stop, search)).toBeLessThan(SOON)
        // The server answers again, and the next calls work.
        server.ways.silent = undefined
        expect(await db.search(vector(), { topK: 3 })).toHaveLength(3)
        const closing = db.close()
        expect(await codeOf(get)).toMatch(/none|CLOSED/)
        await closing
      } else if (ended === 'deadline') {
        expect(await Promise.all([codeOf(search), codeOf(get)])).toEqual(['STORAGE_FAILED', 'STORAGE_FAILED'])
        await db.close()
      } else {
        const codes = Promise.all([codeOf(search), codeOf(get)])
        expect(await turnsOf(db.close())).toBeLessThan(SOON)
        expect(await codes).toEqual(['CLOSED', 'CLOSED'])
      }
      await server.stop()
    }
  })
})

describe('a bucket', () => {
  /**
   * Returns a bucket with the part of an R2 binding that a static store uses: conditional ranges of the current
   * objects.
   */
  const bucketOf = () => {
    const state = { dir: v1, silent: undefined as (() => void) | undefined }
    const object = (key: string) => {
      const bytes = readFileSync(join(state.dir, key))
      return { size: bytes.length, etag: state.dir, bytes }
    }
    const answer = <T>(value: T): Promise<T> =>
      state.silent ? (state.silent(), new Promise(() => {})) : Promise.resolve(value)
    const bucket: StaticBucket = {
      head: (key) => answer(object(key)),
      get(key, { range, onlyIf }) {
        const { etag, bytes } = object(key)
        const part = Uint8Array.from(bytes.subarray(range.offset, range.offset + range.length)).buffer
        return answer(onlyIf.etagMatches === etag ? { etag, arrayBuffer: () => answer(part) } : { etag })
      },
    }
    return { state, source: { bucket, data: 'data', log: 'log' } }
  }

  it('may have an empty log, and may be replaced while it is read', async () => {
    const { state, source } = bucketOf()
    state.dir = none
    const empty = await Nidus.fromStatic(source)
    expect(await empty.count()).toBe(0)
    await empty.close()
    for (let after = 1; after < 9; after++) {
      const { state, source } = bucketOf()
      let calls = 0
      const { head, get } = source.bucket
      const count = () => void (++calls === after && (state.dir = v2))
      source.bucket.head = async (key) => (count(), head(key))
      source.bucket.get = async (key, options) => (count(), get(key, options))
      const code = await Nidus.fromStatic(source, { memory: 'compact' }).then(
        async (db) => {
          const found = await db.get('c', ['v2-3', 'v1-3']).then(
            (found) => found.map((one) => one?.id),
            (error: { code: string }) => error.code,
          )
          await db.close()
          return found
        },
        (error: { code: string }) => error.code,
      )
      // All bytes are of the newer version, or all are of the older one, or there is an error.
      expect([['v2-3', undefined], [undefined, 'v1-3'], 'STORAGE_FAILED'], `${after}`).toContainEqual(code)
    }
  })

  it('that stops answering: the deadline, the signal and close end every wait', async () => {
    const { state, source } = bucketOf()
    const db = await Nidus.fromStatic(source, { memory: 'compact', timeout: 300 })
    const asked = signal()
    state.silent = asked.resolve
    const stop = new AbortController()
    const search = db.search(vector(), { signal: stop.signal })
    await asked.promise
    expect(await heard(stop, search)).toBeLessThan(SOON)
    expect(await codeOf(db.get('c', ['v1-1']))).toBe('STORAGE_FAILED')
    const get = codeOf(db.get('c', ['v1-1']))
    await db.close()
    expect(await get).toBe('CLOSED')
    expect(await codeOf(Nidus.fromStatic(source, { timeout: 50 }))).toBe('STORAGE_FAILED')
  })
})
