// Tests examples/server in real workerd, Deno and Bun. It is used, overloaded and killed.
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { ask, PLACES, TOKEN, type Running } from './places.mjs'

const D = 16
const root = temporaryFolder('server')

describe.each(Object.entries(PLACES))('%s', (name, start) => {
  const directory = join(root, name)
  let running: Running
  beforeAll(async () => {
    mkdirSync(directory)
    running = await start(directory, { dimension: D })
  })
  afterAll(() => running?.kill())

  const post = (path: string, body?: unknown, options?: Parameters<typeof ask>[3]) =>
    ask(running.url, path, body, options)
  const refusal = async (answer: ReturnType<typeof ask>) => {
    const { status, body } = await answer
    expect(body.error.message).toBeTypeOf('string')
    return [status, body.error.code]
  }
  const vector = (at: number) => Array.from({ length: D }, (_, i) => (i === at ? 1 : 0.01 * i))

  it('answers each kind of request', async () => {
    const records = Array.from({ length: 10 }, (_, n) => ({
      id: `d${n}`,
      vector: vector(n),
      attrs: { n, title: `Nr. ${n}` },
    }))
    expect((await post('one/upsert', { collection: 'docs', records })).body).toEqual({ upserted: 10 })
    const { body } = await post('one/search', { vector: vector(3), topK: 2, filter: { n: { $lt: 9 } } })
    expect(body.hits.length).toBe(2)
    expect(body.hits[0]).toMatchObject({ collection: 'docs', id: 'd3', attrs: { n: 3, title: 'Nr. 3' } })
    expect(body.hits[0].score).toBeCloseTo(1, 6)
    const many = (await post('one/search', { vectors: [vector(1), vector(2)], topK: 1, withVectors: true })).body.hits
    expect(many.map(([{ id }]: [{ id: string }]) => id)).toEqual(['d1', 'd2'])
    expect(many[0][0].vector.length).toBe(D)
    expect((await post('one/get', { collection: 'docs', ids: ['d1', 'none'] })).body.records).toMatchObject([
      { id: 'd1', attrs: { n: 1 } },
      null,
    ])
    expect((await post('one/delete', { collection: 'docs', ids: ['d1', 'none'] })).body).toEqual({ deleted: 1 })
    expect((await post('one/delete', { collection: 'docs', filter: { n: { $gte: 8 } } })).body).toEqual({ deleted: 2 })
    expect((await post('one/stats')).body).toMatchObject({
      docCount: 7,
      deadRows: 3,
      collections: ['docs'],
      dimension: D,
    })
    expect((await ask(running.url, 'one/compact', undefined, { method: 'POST' })).body).toMatchObject({
      docCount: 7,
      deadRows: 0,
    })
    // Another store has none of these records.
    expect((await post('two/stats')).body).toMatchObject({ docCount: 0 })
    const tar = await post('one/export')
    expect(tar.headers.get('content-type')).toBe('application/x-tar')
    const copy = await Nidus.import(`copy of ${name}`, new Blob([tar.body]), { storage: 'memory' })
    expect(await copy.count()).toBe(7)
    expect((await copy.search(Float32Array.from(vector(3)), { topK: 1 }))[0]).toMatchObject({
      id: 'd3',
      attrs: { title: 'Nr. 3' },
    })
    await copy.close()
  })

  it('refuses requests without the token before it makes a store', async () => {
    for (const token of ['', 'wrong', 'a token of the test']) {
      const answer = await post('secret/stats', undefined, { token })
      expect([answer.status, answer.body.error.code, answer.headers.get('www-authenticate')]).toEqual([
        401,
        'UNAUTHORIZED',
        'Bearer',
      ])
    }
    expect(
      await refusal(post('secret/stats', undefined, { headers: { authorization: 'Basic a token of the tests' } })),
    ).toEqual([401, 'UNAUTHORIZED'])
  })

  it('says what is wrong with a request', async () => {
    const cases: [ReturnType<typeof ask>, number, string][] = [
      [post('one/nothing'), 404, 'NOT_FOUND'],
      [post('One/stats'), 404, 'NOT_FOUND'],
      [post('..%2fup/stats'), 404, 'NOT_FOUND'],
      [post('one/search'), 405, 'METHOD_NOT_ALLOWED'],
      [post('one/search', '{"vector":'), 400, 'INVALID_ARGUMENT'],
      [post('one/search', '[]'), 400, 'INVALID_ARGUMENT'],
      [post('one/search', 'null'), 400, 'INVALID_ARGUMENT'],
      [post('one/search', { vector: vector(1) }, { headers: { 'content-type': 'text/plain' } }), 415, 'NOT_JSON'],
      [post('one/search', { vector: [1, 2] }), 400, 'DIMENSION_MISMATCH'],
      [post('one/search', { vector: vector(1), topk: 3 }), 400, 'INVALID_ARGUMENT'],
      [post('one/search', { vector: vector(1), topK: 1001 }), 413, 'TOO_LARGE'],
      [post('one/search', { vector: vector(1), filter: { n: { $near: 1 } } }), 400, 'INVALID_ARGUMENT'],
      [post('one/search', { vectors: Array.from({ length: 33 }, () => vector(1)) }), 413, 'TOO_LARGE'],
      [post('one/upsert', { collection: 'docs', records: [{ id: 'x' }] }), 400, 'INVALID_ARGUMENT'],
      [
        post('one/upsert', {
          collection: 'docs',
          records: Array.from({ length: 2001 }, (_, n) => ({ id: `${n}`, vector: vector(1) })),
        }),
        413,
        'TOO_LARGE',
      ],
      [post('one/upsert', `{"collection":"docs","records":[${'1,'.repeat(9_000_000)}1]}`), 413, 'TOO_LARGE'],
      [post('one/delete', { collection: 'docs' }), 400, 'INVALID_ARGUMENT'],
      [post('one/delete', { collection: 'docs', ids: 'd1' }), 400, 'INVALID_ARGUMENT'],
    ]
    for (const [answer, status, code] of cases) expect(await refusal(answer)).toEqual([status, code])
    expect((await post('one/stats')).body.docCount).toBe(7)
  })

  it('refuses requests beyond its limit with 429, and answers all the others', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        post('one/upsert', { collection: 'flood', records: [{ id: `f${n}`, vector: vector(n % D) }] }),
      ),
    )
    const of = (wanted: number) => answers.filter(({ status }) => status === wanted)
    expect(of(200).length + of(429).length).toBe(200)
    expect(of(200).length).toBeGreaterThanOrEqual(32)
    for (const refused of of(429))
      expect([refused.body.error.code, refused.headers.get('retry-after')]).toEqual(['BUSY', '1'])
    const { body } = await post('one/get', { collection: 'flood', ids: answers.map((_, n) => `f${n}`) })
    answers.forEach(({ status }, n) => expect(body.records[n] !== null, `f${n}`).toBe(status === 200))
  })

  it('attributes come back exactly as they were sent', async () => {
    const attrs = {
      big: { $int: '9007199254740993' },
      least: { $int: '-9223372036854775808' },
      when: { $date: '2024-05-01T12:00:00.000Z' },
      zero: { $float: '-0' },
      large: { $float: '100000000000000000' },
      n: 5,
      text: '9007199254740993',
      list: ['a'],
      none: null,
      $int: 'a name',
    }
    expect(
      (await post('exact/upsert', { collection: 'c', records: [{ id: 'a', vector: vector(1), attrs }] })).status,
    ).toBe(200)
    // Numbers are sent as text here, so that they are not rounded on the way.
    const digits =
      `{"collection":"c","records":[{"id":"b","vector":${JSON.stringify(vector(2))},` +
      '"attrs":{"big":9007199254740995,"text":"\\"9007199254740995\\""}}]}'
    expect((await post('exact/upsert', digits)).status).toBe(200)
    const [a, b] = (await post('exact/get', { collection: 'c', ids: ['a', 'b'] })).body.records
    expect(a.attrs).toEqual(attrs)
    expect(b.attrs).toEqual({ big: { $int: '9007199254740995' }, text: '"9007199254740995"' })
    const ids = async (filter: unknown) =>
      (await post('exact/search', { vector: vector(1), filter })).body.hits.map(({ id }: { id: string }) => id)
    expect((await post('exact/search', { vector: vector(1), topK: 1 })).body.hits[0].attrs).toEqual(attrs)
    expect(await ids({ big: { $int: '9007199254740993' } })).toEqual(['a'])
    expect(await ids({ big: { $gt: { $int: '9007199254740993' } } })).toEqual(['b'])
    expect(await ids({ $or: [{ when: { $lt: { $date: '2024-05-01T12:00:00.001Z' } } }, { n: 7 }] })).toEqual(['a'])
    for (const wrong of [
      { $int: 5 },
      { $int: '1.5' },
      { $int: '9223372036854775808' },
      { $date: 'soon' },
      { $date: 0 },
      { $float: 'x' },
    ]) {
      expect(
        await refusal(
          post('exact/upsert', { collection: 'c', records: [{ id: 'x', vector: vector(1), attrs: { wrong } }] }),
        ),
      ).toEqual([400, 'INVALID_ARGUMENT'])
      expect(await refusal(post('exact/search', { vector: vector(1), filter: { big: wrong } }))).toEqual([
        400,
        'INVALID_ARGUMENT',
      ])
    }
  })

  it('a client that stops sending or reading does not hold up others', async () => {
    const text = 'x'.repeat(5000)
    for (let n = 0; n < 8; n++) {
      const records = Array.from({ length: 2000 }, (_, i) => ({
        id: `${n * 2000 + i}`,
        vector: vector(i % D),
        attrs: { text },
      }))
      expect((await post('stalled/upsert', { collection: 'c', records })).status).toBe(200)
    }
    const { port } = new URL(running.url)
    const socket = (lines: string[], onData: (text: string) => void) => {
      const open = connect(Number(port), '127.0.0.1', () =>
        open.write([...lines, 'Host: 127.0.0.1', `Authorization: Bearer ${TOKEN}`, '', ''].join('\r\n')),
      )
      open.on('error', () => {})
      open.on('data', (data) => onData(data.toString('latin1')))
      return open
    }
    const answered = new Promise<string>((resolve) => {
      const sending = socket(
        ['POST /stalled/upsert HTTP/1.1', 'Content-Type: application/json', 'Content-Length: 1000'],
        (data) => resolve(data),
      )
      sending.once('connect', () => sending.write('{"collection":'))
      sending.once('close', () => resolve('closed'))
    })
    const readers = []
    for (let n = 0; n < 4; n++) {
      readers.push(
        await new Promise<ReturnType<typeof connect>>((resolve) => {
          const reader = socket(['GET /stalled/export HTTP/1.1'], () => {
            reader.pause()
            resolve(reader)
          })
        }),
      )
    }
    // Only a few exports may run at the same time. While they run, there is no compaction, but writes do not wait for
    // them.
    expect(await refusal(post('stalled/export'))).toEqual([429, 'BUSY'])
    expect(await refusal(ask(running.url, 'stalled/compact', undefined, { method: 'POST' }))).toEqual([429, 'BUSY'])
    const records = Array.from({ length: 2000 }, (_, i) => ({ id: `${i}`, vector: vector(i % D) }))
    for (let n = 0; n < 6; n++) expect((await post('stalled/upsert', { collection: 'c', records })).status).toBe(200)
    expect(await answered).toMatch(/^HTTP\/1.1 408|^closed$/)
    // The readers of these exports have stopped reading. After a time the service ends the exports.
    await expect
      .poll(async () => (await ask(running.url, 'stalled/compact', undefined, { method: 'POST' })).status, {
        timeout: 60_000,
        interval: 500,
      })
      .toBe(200)
    expect((await post('stalled/stats')).body).toMatchObject({ docCount: 16_000, deadRows: 0 })
    for (const reader of readers) reader.destroy()
    expect((await post('stalled/export')).body.length).toBeGreaterThan(50_000_000)
  })

  it('compacts a store that consists mostly of dead rows', async () => {
    const records = Array.from({ length: 1000 }, (_, n) => ({ id: `${n}`, vector: vector(n % D) }))
    for (let round = 0; round < 8; round++)
      expect((await post('tidy/upsert', { collection: 'c', records })).status).toBe(200)
    const { rows, deadRows, docCount } = (await post('tidy/stats')).body
    expect([docCount, rows - deadRows]).toEqual([1000, 1000])
    expect(deadRows).toBeLessThan(5000)
  })

  it('after many kills it has all that it acknowledged, and only complete batches', async () => {
    const r = random(name.length)
    const acknowledged = new Set<number>()
    let next = 0
    for (let cycle = 0; cycle < 6; cycle++) {
      let over = false
      // The server is killed some milliseconds after a random number of acknowledgements. So a slow machine does as
      // much work as a fast one.
      let left = 4 + r.int(12)
      let enough!: () => void
      const busy = new Promise<void>((resolve) => (enough = resolve))
      const writer = async () => {
        while (!over) {
          const batch = next++
          const records = Array.from({ length: 8 }, (_, i) => ({
            id: `${batch}-${i}`,
            vector: r
              .vector(D)
              .map((x) => x + 2)
              .reduce<number[]>((all, x) => [...all, x], []),
            attrs: { batch },
          }))
          const answer = await post('killed/upsert', { collection: 'c', records }).catch(() => undefined)
          if (answer?.status === 200) {
            acknowledged.add(batch)
            if (--left <= 0) enough()
          } else if (answer) expect(answer.status).toBe(429)
          else over = true
        }
      }
      const writers = Array.from({ length: 4 }, writer)
      await Promise.race([busy, Promise.all(writers)])
      await new Promise((resolve) => setTimeout(resolve, r.int(40)))
      await running.kill()
      over = true
      await Promise.all(writers)
      running = await start(directory, { dimension: D })
      const all = Array.from({ length: next }, (_, batch) => batch)
      for (let at = 0; at < all.length; at += 1000) {
        const part = all.slice(at, at + 1000)
        const { body } = await post('killed/get', {
          collection: 'c',
          ids: part.flatMap((batch) => Array.from({ length: 8 }, (_, i) => `${batch}-${i}`)),
        })
        part.forEach((batch, n) => {
          const there = body.records.slice(n * 8, n * 8 + 8).filter((record: unknown) => record !== null).length
          expect([0, 8]).toContain(there)
          if (acknowledged.has(batch)) expect(there, `batch ${batch}`).toBe(8)
        })
      }
    }
    expect(acknowledged.size).toBeGreaterThan(20)
    expect((await post('one/stats')).body.docCount).toBeGreaterThan(7)
  })

  it('ends properly when it is asked to', async () => {
    if (name !== 'workerd') expect(await running.stop()).toBe(0)
    else await running.stop()
    expect(running.output()).toBe('')
    running = await start(directory, { dimension: D })
    expect((await post('one/search', { vector: vector(3), topK: 1, collections: 'docs' })).body.hits[0].id).toBe('d3')
  })

  it('serves nobody if it has no token', async () => {
    const other = join(root, `${name} without`)
    mkdirSync(other)
    const open = await start(other, { dimension: D, token: '' })
    try {
      expect(await refusal(ask(open.url, 'one/stats', undefined, { token: 'any' }))).toEqual([503, 'NOT_CONFIGURED'])
    } finally {
      await open.kill()
    }
  })
})

it('refuses one request too many, and accepts it later', async () => {
  // @ts-expect-error: this is plain JavaScript, which users copy
  const { service, LIMITS } = await import('../../examples/server/service.js')
  let open: (db: object) => void
  const opened = new Promise((resolve) => (open = resolve))
  const answer = service(() => opened, { ...LIMITS, atOnce: 3 })
  const stats = () => answer(new Request('http://x/one/stats'), 'stats')
  const waiting = [stats(), stats(), stats()]
  const refused = await stats()
  expect([refused.status, (await refused.json()).error.code]).toEqual([429, 'BUSY'])
  open!({ footprint: async () => ({ rows: 1 }), collections: async () => [], recovery: {} })
  for (const response of await Promise.all(waiting)) expect(response.status).toBe(200)
  expect((await stats()).status).toBe(200)
})
