// Faults that were once found in searches for words and in the shapes of answers. Each test has the smallest input that
// showed one.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { Nidus, NidusError, type QuestionOptions } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'

const root = temporaryFolder('text-faults')

const memory = () => Nidus.open('x', { storage: 'memory', dimension: 2 })
const ids = (hits: { id: string }[]) => hits.map(({ id }) => id)
const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    id: `d${from + i}`,
    vector: [1, i],
    attrs: { body: `old number${from + i}`, title: 't', n: i },
  }))
const refusal = async (work: () => unknown) => {
  const error = await Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  expect(error).toBeInstanceOf(NidusError)
  return error as NidusError
}

describe('text settings', () => {
  it('know what is written while the first index is made', async () => {
    const db = await memory()
    for (let at = 0; at < 20_000; at += 5000) await db.upsert('docs', many(5000, at))
    let writes: Promise<unknown> | undefined
    const onProgress = (done: number) => {
      if (done < 3000) return
      writes ??= Promise.all([
        db.update('docs', { id: 'd5', attrs: { body: 'fresh' } }),
        db.delete('docs', 'd6'),
        db.upsert('docs', { id: 'd7', vector: [1, 0], attrs: { body: 'replaced' } }),
        db.search({ text: 'number7' }).catch(() => []),
      ])
    }
    await db.setText('docs', 'body', { onProgress })
    expect(writes).toBeDefined()
    await writes
    const found = async (text: string) => ids(await db.search({ text }))
    expect(await found('fresh')).toEqual(['d5'])
    expect(await found('replaced')).toEqual(['d7'])
    for (const text of ['number5', 'number6', 'number7']) expect(await found(text)).toEqual([])
    expect(await found('number8')).toEqual(['d8'])
    await db.close()
  })

  it('are set in the order of the calls', async () => {
    const after = async (second: (db: Nidus) => Promise<unknown>) => {
      const db = await memory()
      await db.upsert('docs', many(3000))
      await Promise.allSettled([db.setText('docs', 'body'), second(db)])
      const state = [await db.getText('docs'), await db.hasCollection('docs')]
      await db.close()
      return state
    }
    expect(await after((db) => db.setText('docs', null))).toEqual([undefined, true])
    expect(await after((db) => db.setText('docs', 'title'))).toEqual([{ title: { weight: 1 } }, true])
    expect(await after((db) => db.createCollection('docs', { text: 'title' }))).toEqual([
      { title: { weight: 1 } },
      true,
    ])
    expect(await after((db) => db.dropCollection('docs'))).toEqual([undefined, false])
    expect(await after((db) => Promise.all([db.dropCollection('docs'), db.createCollection('docs')]))).toEqual([
      undefined,
      true,
    ])
    const db = await memory()
    await db.upsert('docs', many(3000))
    const [first] = await Promise.allSettled([db.setText('docs', 'body'), db.dropCollection('docs')])
    expect(first).toMatchObject({ reason: { code: 'ABORTED' } })
    const abort = new AbortController()
    await db.upsert('docs', many(3000))
    const slow = db.setText('docs', 'body')
    const waiting = db.setText('docs', 'title', { signal: abort.signal })
    abort.abort()
    expect((await refusal(() => waiting)).code).toBe('ABORTED')
    await slow
    expect(await db.getText('docs')).toEqual({ body: { weight: 1 } })
    await db.close()
  })

  it('of a dropped collection do not come back with its metadata', async () => {
    const db = await memory()
    for (const _ of [1, 2]) {
      await db.createCollection('docs', { text: 'body' })
      await Promise.all([db.dropCollection('docs'), db.setMeta('docs', { a: 'b' })])
      expect([await db.getText('docs'), await db.getMeta('docs')]).toEqual([undefined, { a: 'b' }])
      await db.dropCollection('docs')
    }
    await db.createCollection('docs', { text: 'body' })
    await Promise.all([db.setMeta('docs', { a: 'c' }), db.upsert('docs', many(1))])
    expect(await db.getText('docs')).toEqual({ body: { weight: 1 } })
    await db.close()
  })

  it('and their collection are one change', async () => {
    const db = await memory()
    const events: unknown[] = []
    db.on('change', (event) => events.push(event))
    await db.createCollection('docs', { text: 'body' })
    await db.setText('docs', 'body')
    await db.setText('none', null)
    await db.count()
    await expect.poll(() => events.length).toBe(1)
    expect(await db.collections()).toEqual(['docs'])
    expect((await refusal(() => db.createCollection('new', { text: [] }))).code).toBe('INVALID_ARGUMENT')
    expect(await db.hasCollection('new')).toBe(false)
    await db.close()
  })

  it('that are the same, or differ in weights alone, need no other index', async () => {
    const name = join(root, 'weights')
    const db = await Nidus.open(name, { dimension: 2 })
    await db.createCollection('docs', { text: ['title', 'body'] })
    await db.upsert('docs', [
      { id: 'in title', vector: [1, 0], attrs: { title: 'river', body: 'stone' } },
      { id: 'in body', vector: [1, 0], attrs: { title: 'stone', body: 'river river' } },
    ])
    const best = async () => ids(await db.search({ text: 'river' }, { topK: 1 }))
    expect(await best()).toEqual(['in body'])
    const size = statSync(join(name, 'log')).size
    let read = 0
    const onProgress = () => read++
    await db.setText('docs', ['title', 'body'], { onProgress })
    expect([read, statSync(join(name, 'log')).size]).toEqual([0, size])
    await db.setText('docs', { body: {}, title: { weight: 9 } }, { onProgress })
    expect([read, await best()]).toEqual([0, ['in title']])
    await db.close()
    const again = await Nidus.open(name)
    expect(ids(await again.search({ text: 'river' }, { topK: 1 }))).toEqual(['in title'])
    await again.close()
  })

  it('let a record alone whose texts are as they were', async () => {
    const db = await memory()
    await db.createCollection('docs', { text: 'body' })
    await db.upsert('docs', many(3))
    await db.search({ text: 'old' })
    const behind = async () => (await db.footprint()).text!.behind
    await db.update('docs', { id: 'd1', attrs: { n: 7, title: undefined } })
    expect(await behind()).toBe(1)
    await db.search({ text: 'old' })
    await db.update('docs', [
      { id: 'd0', attrs: { n: 8 } },
      { id: 'd2', attrs: { n: undefined, pinned: true } },
    ])
    await db.upsert('docs', { id: 'd1', vector: [0, 1], attrs: { body: 'old number1', n: 9 } })
    expect(await behind()).toBe(0)
    await db.update('docs', { id: 'd1', attrs: { body: ['new', 'number1'] } })
    expect(await behind()).toBe(1)
    expect(ids(await db.search({ text: 'new' }))).toEqual(['d1'])
    expect(ids(await db.search({ text: 'number2' }))).toEqual(['d2'])
    await db.close()
  })

  it('have at most 250 fields, and weights that scores can bear', async () => {
    const db = await memory()
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i}`)
    expect((await refusal(() => db.setText('docs', fields(251)))).message).toContain('251 fields, more than 250')
    for (const weight of [5e-324, 1.7e308, 0, NaN])
      expect((await refusal(() => db.setText('docs', { body: { weight } }))).message).toContain('from 1e-9 to')
    await db.setText('docs', fields(250))
    for (const text of [
      undefined,
      () => {},
      [Symbol('a')],
      new Date(),
      NaN,
      Infinity,
      { body: 7n },
      { body: new Date() },
      { body: { weight: () => 1 } },
    ])
      expect((await refusal(() => db.setText('docs', text as never))).code).toBe('INVALID_ARGUMENT')
    await db.close()
  })

  it('report progress to the end, and what a listener throws is no failure of the call', async () => {
    const db = await memory()
    await db.upsert('docs', many(3000))
    const seen: [number, number][] = []
    await db.setText('docs', 'body', { onProgress: (done, total) => seen.push([done, total]) })
    await expect.poll(() => seen.at(-1)).toEqual([3000, 3000])
    await db.close()
  })
})

it('close finishes the calls that were accepted', async () => {
  const calls: { [name: string]: (db: Nidus) => Promise<unknown> } = {
    words: (db) => db.search({ text: 'old' }),
    offset: (db) => db.search([1, 0], { offset: 1 }),
    similar: (db) => db.similar('docs', 'd1'),
    list: (db) => db.list('docs', { limit: 3 }),
    setText: (db) => db.setText('docs', 'title'),
    'setText null': (db) => db.setText('docs', null),
    createCollection: (db) => db.createCollection('new', { text: 'a' }),
  }
  for (const [name, call] of Object.entries(calls)) {
    const place = join(root, `close ${name}`)
    const db = await Nidus.open(place, { dimension: 2 })
    await db.createCollection('docs', { text: 'body' })
    await db.upsert('docs', many(200))
    const answer = call(db).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    )
    await db.close()
    expect(await answer, name).toBe('answered')
    expect((await refusal(() => call(db))).code, name).toBe('CLOSED')
    const again = await Nidus.open(place)
    const text =
      name === 'setText' ? { title: { weight: 1 } } : name === 'setText null' ? undefined : { body: { weight: 1 } }
    expect(await again.getText('docs'), name).toEqual(text)
    expect(await again.hasCollection('new'), name).toBe(name === 'createCollection')
    await again.close()
  }
})

describe('a question', () => {
  let db: Nidus
  beforeEach(async () => {
    db = await memory()
    await db.createCollection('docs', { text: 'body' })
    await db.upsert('docs', many(5))
  })

  it('has a text or a vector, and options that it uses', async () => {
    for (const query of [{}, { vector: undefined }, { text: undefined }])
      expect((await refusal(() => db.search(query as never))).message).toContain('no text and no vector')
    for (const options of [{ fuzzy: 1 }, { prefix: true }, { fusion: 'rrf' }, { highlight: true }] as QuestionOptions[])
      expect((await refusal(() => db.search({ vector: [1, 0] }, options as never))).message).toContain('needs words')
    expect((await refusal(() => db.search('old' as never))).message).toContain('search({ text })')
    expect(await db.search({ text: 'old' }, { collections: [] })).toEqual([])
    expect((await refusal(() => db.search({ text: 'old' }, { collections: 'none' }))).message).toContain('setText')
  })

  it('for more groups than there can be has all of them', async () => {
    for (const query of [{ text: 'old' }, { vector: [1, 0] }])
      for (const topK of [2 ** 31, 2 ** 32 - 1])
        expect((await db.search(query as { text: string }, { topK, groupBy: { key: 'n', size: 2 } })).length).toBe(5)
  })

  it('compares the least score with the cosine as it is stored, whatever the shape of the answer', async () => {
    const cosine = (await db.search([1, 2], { topK: 1, filter: { n: 0 } }))[0]!.score
    // As a 32-bit float, this number is equal to the cosine.
    const minScore = cosine + 1e-9
    expect(Math.fround(minScore)).toBe(cosine)
    const filter = { n: 0 }
    expect(ids(await db.search([1, 2], { minScore, filter }))).toEqual(['d0'])
    expect(ids(await db.search([1, 2], { minScore, filter, attrs: ['n'] }))).toEqual(['d0'])
    expect(ids(await db.search({ vector: [1, 2] }, { minScore, filter }))).toEqual(['d0'])
  })

  it('for counts has every key that was asked for, and equal numbers as one value', async () => {
    const proto = JSON.parse('{ "__proto__": {}, "n": {} }') as Record<string, object>
    const { facets } = await db.search([1, 0], { facets: proto })
    expect(Object.keys(facets!)).toEqual(['__proto__', 'n'])
    const seen: unknown[] = []
    for (const order of [
      [0, -0, 2n ** 60n, 2 ** 60],
      [2 ** 60, 2n ** 60n, -0, 0],
    ]) {
      const store = await memory()
      for (const [i, n] of order.entries()) await store.upsert('c', { id: `${i}`, vector: [1, 0], attrs: { n } })
      const { facets } = await store.search([1, 0], { facets: { n: {} } })
      seen.push(facets!['n'])
      expect((await store.search([1, 0], { groupBy: 'n' })).length).toBe(2)
      await store.close()
    }
    const expected = [
      { value: 0, count: 2 },
      { value: 2 ** 60, count: 2 },
    ]
    expect(seen).toEqual([expected, expected])
  })

  it('with endless lists is refused at once', async () => {
    const endless = new Array(2 ** 32 - 1) as string[]
    for (const options of [{ attrs: endless }, { fields: endless }, { collections: endless }, { highlight: endless }])
      expect((await refusal(() => db.search({ text: 'old' }, options))).code).toBe('INVALID_ARGUMENT')
    expect((await refusal(() => db.setText('docs', endless))).code).toBe('INVALID_ARGUMENT')
    const orderBy = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'asc' as const]))
    expect((await refusal(() => db.list('docs', { orderBy }))).message).toContain('17 attributes, more than 16')
  })
})
