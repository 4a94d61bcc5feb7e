// The example that is a service: the same one in real workerd, Deno and Bun, asked, overloaded and killed.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { random } from '../common/model'
import { ask, PLACES, type Running } from './places.mjs'

const D = 16
const root = mkdtempSync(join(tmpdir(), 'nidus-server-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe.each(Object.entries(PLACES))('%s', (name, start) => {
  const directory = join(root, name)
  let running: Running
  beforeAll(async () => {
    mkdirSync(directory)
    running = await start(directory, { dimension: D })
  }, 60_000)
  afterAll(() => running?.kill())

  const post = (path: string, body?: unknown, options?: Parameters<typeof ask>[3]) => ask(running.url, path, body, options)
  const refusal = async (answer: ReturnType<typeof ask>) => {
    const { status, body } = await answer
    expect(body.error.message).toBeTypeOf('string')
    return [status, body.error.code]
  }
  const vector = (at: number) => Array.from({ length: D }, (_, i) => (i === at ? 1 : 0.01 * i))

  it('does what is asked of it', async () => {
    const records = Array.from({ length: 10 }, (_, n) => ({ id: `d${n}`, vector: vector(n), attrs: { n, title: `Nr. ${n}` } }))
    expect((await post('one/upsert', { collection: 'docs', records })).body).toEqual({ upserted: 10 })
    const { body } = await post('one/search', { vector: vector(3), topK: 2, filter: { n: { $lt: 9 } } })
    expect(body.hits.length).toBe(2)
    expect(body.hits[0]).toMatchObject({ collection: 'docs', id: 'd3', attrs: { n: 3, title: 'Nr. 3' } })
    expect(body.hits[0].score).toBeCloseTo(1, 6)
    const many = (await post('one/search', { vectors: [vector(1), vector(2)], topK: 1, withVectors: true })).body.hits
    expect(many.map(([{ id }]: [{ id: string }]) => id)).toEqual(['d1', 'd2'])
    expect(many[0][0].vector.length).toBe(D)
    expect((await post('one/get', { collection: 'docs', ids: ['d1', 'none'] })).body.records).toMatchObject([{ id: 'd1', attrs: { n: 1 } }, null])
    expect((await post('one/delete', { collection: 'docs', ids: ['d1', 'none'] })).body).toEqual({ deleted: 1 })
    expect((await post('one/delete', { collection: 'docs', filter: { n: { $gte: 8 } } })).body).toEqual({ deleted: 2 })
    expect((await post('one/stats')).body).toMatchObject({ docCount: 7, deadRows: 3, collections: ['docs'], dimension: D })
    expect((await ask(running.url, 'one/compact', undefined, { method: 'POST' })).body).toMatchObject({ docCount: 7, deadRows: 0 })
    // Another store has nothing of it.
    expect((await post('two/stats')).body).toMatchObject({ docCount: 0 })
    const tar = await post('one/export')
    expect(tar.headers.get('content-type')).toBe('application/x-tar')
    const copy = await Nidus.import(`copy of ${name}`, new Blob([tar.body]), { storage: 'memory' })
    expect(await copy.count()).toBe(7)
    expect((await copy.search(Float32Array.from(vector(3)), { topK: 1 }))[0]).toMatchObject({ id: 'd3', attrs: { title: 'Nr. 3' } })
    await copy.close()
  })

  it('refuses who has no token, before any store is made', async () => {
    for (const token of ['', 'wrong', 'a token of the test']) {
      const answer = await post('secret/stats', undefined, { token })
      expect([answer.status, answer.body.error.code, answer.headers.get('www-authenticate')]).toEqual([401, 'UNAUTHORIZED', 'Bearer'])
    }
    expect(await refusal(post('secret/stats', undefined, { headers: { authorization: 'Basic a token of the tests' } }))).toEqual([401, 'UNAUTHORIZED'])
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
      [post('one/upsert', { collection: 'docs', records: Array.from({ length: 2001 }, (_, n) => ({ id: `${n}`, vector: vector(1) })) }), 413, 'TOO_LARGE'],
      [post('one/upsert', `{"collection":"docs","records":[${'1,'.repeat(9_000_000)}1]}`), 413, 'TOO_LARGE'],
      [post('one/delete', { collection: 'docs' }), 400, 'INVALID_ARGUMENT'],
      [post('one/delete', { collection: 'docs', ids: 'd1' }), 400, 'INVALID_ARGUMENT'],
    ]
    for (const [answer, status, code] of cases) expect(await refusal(answer)).toEqual([status, code])
    expect((await post('one/stats')).body.docCount).toBe(7)
  })

  it('takes no more at once than it can answer soon, and answers those', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => post('one/upsert', { collection: 'flood', records: [{ id: `f${n}`, vector: vector(n % D) }] })))
    const of = (wanted: number) => answers.filter(({ status }) => status === wanted)
    expect(of(200).length + of(429).length).toBe(200)
    expect(of(200).length).toBeGreaterThanOrEqual(32)
    for (const refused of of(429)) expect([refused.body.error.code, refused.headers.get('retry-after')]).toEqual(['BUSY', '1'])
    const { body } = await post('one/get', { collection: 'flood', ids: answers.map((_, n) => `f${n}`) })
    answers.forEach(({ status }, n) => expect(body.records[n] !== null, `f${n}`).toBe(status === 200))
  })

  it('compacts what is dead for the most part', async () => {
    const records = Array.from({ length: 1000 }, (_, n) => ({ id: `${n}`, vector: vector(n % D) }))
    for (let round = 0; round < 8; round++) expect((await post('tidy/upsert', { collection: 'c', records })).status).toBe(200)
    const { rows, deadRows, docCount } = (await post('tidy/stats')).body
    expect([docCount, rows - deadRows]).toEqual([1000, 1000])
    expect(deadRows).toBeLessThan(5000)
  })

  it('killed again and again, it keeps what it acknowledged, and whole batches', async () => {
    const r = random(name.length)
    const acknowledged = new Set<number>()
    let next = 0
    for (let cycle = 0; cycle < 6; cycle++) {
      let over = false
      const writer = async () => {
        while (!over) {
          const batch = next++
          const records = Array.from({ length: 8 }, (_, i) => ({ id: `${batch}-${i}`, vector: r.vector(D).map((x) => x + 2).reduce<number[]>((all, x) => [...all, x], []), attrs: { batch } }))
          const answer = await post('killed/upsert', { collection: 'c', records }).catch(() => undefined)
          if (answer?.status === 200) acknowledged.add(batch)
          else if (answer) expect(answer.status).toBe(429)
          else over = true
        }
      }
      const writers = Array.from({ length: 4 }, writer)
      await new Promise((resolve) => setTimeout(resolve, 60 + r.int(200)))
      await running.kill()
      over = true
      await Promise.all(writers)
      running = await start(directory, { dimension: D })
      const all = Array.from({ length: next }, (_, batch) => batch)
      for (let at = 0; at < all.length; at += 1000) {
        const part = all.slice(at, at + 1000)
        const { body } = await post('killed/get', { collection: 'c', ids: part.flatMap((batch) => Array.from({ length: 8 }, (_, i) => `${batch}-${i}`)) })
        part.forEach((batch, n) => {
          const there = body.records.slice(n * 8, n * 8 + 8).filter((record: unknown) => record !== null).length
          expect([0, 8]).toContain(there)
          if (acknowledged.has(batch)) expect(there, `batch ${batch}`).toBe(8)
        })
      }
    }
    expect(acknowledged.size).toBeGreaterThan(20)
    expect((await post('one/stats')).body.docCount).toBeGreaterThan(7)
  }, 120_000)

  it('ends in order when it is asked to', async () => {
    if (name !== 'workerd') expect(await running.stop()).toBe(0)
    else await running.stop()
    expect(running.output()).toBe('')
    running = await start(directory, { dimension: D })
    expect((await post('one/search', { vector: vector(3), topK: 1, collections: 'docs' })).body.hits[0].id).toBe('d3')
  })

  it('without a token of its own it serves nobody', async () => {
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

it('tells whoever is one too many to come again, and lets them in later', async () => {
  // @ts-expect-error: plain JavaScript, as users copy it
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
