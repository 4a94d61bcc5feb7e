// Tests searches for words in a sharded store in a real workerd. Scores, order and shapes must be those of one store
// and of a naive model: before and after a growth, and after a kill.
import { describe, expect, it } from 'vitest'
import { Nidus, type Hit, type Hits } from 'nidus-wasm'
import { EVERY_CASE, random } from '../common/model'
import { sameAnswer, TextModel } from '../common/text-model'
import { shardedIn, type On } from './served'

const D = 8
const { start, ask, call, served } = shardedIn('sharded-words', { dimension: D, shards: 3 })
const codeOf = async (on: On, method: string, ...args: unknown[]) => (await ask(on, method, ...args)).error?.code

const WORDS = ['sun', 'sea', 'sand', 'song', 'sane', 'tree', 'treat', 'wall', 'wave', 'rare', 'ware', 'cat']
const KINDS = ['a', 'b', 'c', 'd', 'e', null]

/** Fills a sharded store, one store and a model with the same records. */
async function filled(on: On, seed: number) {
  const r = random(seed)
  const one = await Nidus.open('one', { storage: 'memory', dimension: D })
  const model = new TextModel()
  const settings = { docs: { title: { weight: 3 }, body: { weight: 1 } }, notes: { body: { weight: 2 } } }
  const text = (most: number) => Array.from({ length: r.int(most) }, () => r.pick(WORDS.slice(r.int(4)))).join(' ')
  for (const [name, fields] of Object.entries(settings)) {
    await one.setText(name, fields)
    await call(on, 'setText', name, fields)
    model.collection(name).text = Object.fromEntries(Object.entries(fields).map(([key, { weight }]) => [key, weight]))
  }
  const write = async (count: number, ids: number) => {
    for (const name of ['docs', 'notes', 'plain']) {
      const records = Array.from({ length: count }, () => {
        const kind = r.pick(KINDS)
        return {
          id: `${r.int(ids)}`,
          // Some vectors and some texts are equal, so that hits have equal scores.
          vector: random(r.int(ids / 3)).vector(D),
          attrs: {
            title: text(4),
            body: text(9),
            year: 2000 + r.int(6),
            ...(kind !== null && { kind }),
            ...(r.next() < 0.3 && { tags: [r.pick(WORDS), r.pick(KINDS) ?? 'none'] }),
          },
        }
      })
      await one.upsert(name, records)
      await call(on, 'upsert', name, records)
      for (const { id, vector, attrs } of records) model.collection(name).docs.set(id, { vector, attrs })
    }
  }
  return { r, one, model, write }
}
type Filled = Awaited<ReturnType<typeof filled>>

const json = (value: unknown) => JSON.parse(JSON.stringify(value))
const dropVector = ({ vector: _, ...hit }: Hit) => hit

/**
 * Checks that hits are the same. `moved`: rows that have moved were scaled to length 1 again, so the last bits of their
 * cosines may differ.
 */
function expectSame(found: Hit[], wanted: Hits<Hit>, moved: boolean, what: string) {
  const plain = (hits: Hit[]) => json(hits.map(dropVector)) as Hit[]
  if (!moved) return expect(plain(found), what).toEqual(plain(wanted))
  // Hits with nearly equal scores may change places. So only the scores are compared here, and the model checks the
  // rest.
  expect(found.length, what).toBe(wanted.length)
  found.forEach(({ score }, i) => expect(Math.abs(score - wanted[i]!.score), what).toBeLessThan(1e-6))
}

const QUESTIONS = ['sea', 'sun sea', 'rare wall tree', 'waev', 'treee song', 'sa', 'zzz sun', '', '—']
async function compare(on: On, { r, one, model }: Filled, rounds: number, moved = false) {
  for (let round = 0; round < rounds; round++) {
    const question = {
      text: r.pick(QUESTIONS),
      ...(r.next() < 0.6 && { vector: Array.from(r.vector(D)) }),
    }
    const year = 2000 + r.int(6)
    const options = {
      topK: r.pick([0, 1, 3, 10, 1000]),
      ...(r.next() < 0.4 && { offset: r.int(12) }),
      ...(r.next() < 0.4 && { collections: r.pick([['docs'], ['notes', 'docs'], ['docs', 'plain', 'none']]) }),
      ...(r.next() < 0.4 && { filter: { year: { $gt: year } } }),
      ...(r.next() < 0.2 && { minScore: r.next() * 0.5 }),
      ...(r.next() < 0.4 && { fusion: r.pick([{ text: 0.7 }, { text: 0 }, 'rrf'] as const) }),
      ...(r.next() < 0.3 && { match: 'all' as const }),
      ...(r.next() < 0.3 && { prefix: true }),
      ...(r.next() < 0.4 && { fuzzy: r.pick([1, 'every'] as const) }),
      ...(r.next() < 0.2 && { forms: 'en' as const }),
      ...(r.next() < 0.2 && { fields: ['body'] }),
      ...(r.next() < 0.3 && { highlight: true }),
      ...(r.next() < 0.3 && { attrs: r.pick([false, ['kind', 'year']]) }),
      ...(r.next() < 0.4 && { groupBy: r.pick(['kind', { key: 'year', size: 3 }, { key: 'tags', size: 2 }]) }),
      ...(r.next() < 0.3 && { facets: { kind: {}, tags: { limit: 4 }, year: { limit: 2 } } }),
      ...(r.next() < 0.2 && { explain: true }),
    }
    const what = JSON.stringify([question, options])
    const wanted = await one.search(question, options)
    // Facets are a property of an array. JSON leaves it out, so worker.mjs sends the facets separately.
    const found = await call(on, 'asked', question, options)
    expectSame(found.hits, wanted, moved, what)
    expect(found.facets, what).toEqual(wanted.facets && json(wanted.facets))
    expect(found.explain, what).toEqual(wanted.explain && json(wanted.explain))
  }
  // The model knows no prefixes, typing errors and groups, so its questions have none.
  for (let round = 0; round < rounds / 4; round++) {
    const text = r.pick(['sea', 'sun sea', 'rare wall tree', 'cat song'])
    const vector = r.next() < 0.6 ? r.vector(D) : undefined
    const fusion = r.pick([undefined, { text: 0.7 }, 'rrf'] as const)
    const [topK, offset] = [r.pick([1, 10, 1000]), r.int(5)]
    const found = await call(
      on,
      'search',
      { text, ...(vector && { vector }) },
      { topK, offset, ...(fusion && { fusion }) },
    )
    const ranking = model.search({ text, ...(vector && { vector }) }, fusion && { fusion })
    // If the last bit of a cosine differs, two ranks may be exchanged.
    if (!(moved && fusion === 'rrf' && vector)) sameAnswer(found, ranking, topK, offset)
  }
}

describe('words in a sharded store', () => {
  it('are found with the scores of one store, before and after a growth', async () => {
    const on = { store: 'words', shards: 3 }
    const all = await filled(on, 1)
    await all.write(120, 150)
    await compare(on, all, 120)
    await call(on, 'grow', 5)
    await all.write(60, 150)
    await compare(on, all, 80, true)
    expect(await call(on, 'getText', 'docs')).toEqual({ title: { weight: 3 }, body: { weight: 1 } })
    await all.one.close()
  })

  it('are found in the shapes of one store: lists and similar records', async () => {
    const on = { store: 'shapes', shards: 4 }
    const all = await filled(on, 2)
    const { r, one } = all
    await all.write(80, 100)
    for (let round = 0; round < 60; round++) {
      const options = {
        ...(r.next() < 0.7 && {
          orderBy: r.pick([
            'kind',
            { year: 'desc', kind: 'asc' },
            { tags: 'desc' },
            { kind: 'desc', id: 'asc' },
          ] as const),
        }),
        ...(r.next() < 0.5 && { offset: r.int(20) }),
        ...(r.next() < 0.7 && { limit: r.int(30) }),
        ...(r.next() < 0.4 && { attrs: r.pick([false, ['title']]) }),
        ...(r.next() < 0.4 && { filter: { year: { $gt: 2002 } } }),
      }
      expect(await call(on, 'list', 'docs', options), JSON.stringify(options)).toEqual(
        json(await one.list('docs', options as object)),
      )
    }
    const [first] = await one.list('docs', { limit: 1 })
    for (const options of [{}, { topK: 3, offset: 2 }, { groupBy: { key: 'kind', size: 2 } }, { collections: 'notes' }])
      expectSame(
        await call(on, 'similar', 'docs', first!.id, options),
        await one.similar('docs', first!.id, options),
        false,
        '',
      )
    expect(await codeOf(on, 'similar', 'docs', 'none')).toBe('NOT_FOUND')
    await one.close()
  })

  it('are refused with the errors of one store', async () => {
    const on = { store: 'refused', shards: 2 }
    expect((await ask(on, 'search', { text: 'sun' })).error!.message).toContain('setText')
    await call(on, 'setText', 'docs', 'body')
    expect(await codeOf(on, 'search', { text: 'sun' }, { fields: ['title'] })).toBe('INVALID_ARGUMENT')
    expect(await codeOf(on, 'search', { text: 'sun' }, { near: 1 })).toBe('INVALID_ARGUMENT')
    expect(await codeOf(on, 'search', Array(D).fill(1), { fuzzy: 1 })).toBe('INVALID_ARGUMENT')
    expect(await codeOf(on, 'searchMany', [Array(D).fill(1)], { offset: 1 })).toBe('INVALID_ARGUMENT')
    expect(await codeOf(on, 'searchAvailable', { text: 'sun' })).toBe('INVALID_ARGUMENT')
    expect(await codeOf(on, 'setText', 'docs', {})).toBe('INVALID_ARGUMENT')
    const fields = Array.from({ length: 251 }, (_, n) => `f${n}`)
    expect(await codeOf(on, 'setText', 'other', fields)).toBe('INVALID_ARGUMENT')
    expect(await call(on, 'getText', 'docs')).toEqual({ body: { weight: 1 } })
    expect(await codeOf(on, 'search', {})).toBe('INVALID_ARGUMENT')
    expect(await call(on, 'search', { text: 'sun' })).toEqual([])
    await call(on, 'setText', 'docs', null)
    expect(await codeOf(on, 'search', { text: 'sun' })).toBe('INVALID_ARGUMENT')
    expect((await call(on, 'getText', 'docs')) ?? null).toBe(null)
  })

  it.runIf(EVERY_CASE)(
    'are refused where the answer would be too large for its client, and a filter helps',
    async () => {
      const on = { store: 'large', shards: 2, dimension: 1 }
      const [RANKED, VALUES] = [100_000, 65_536]
      await call(on, 'setText', 'docs', 'body')
      const write = async (from: number, to: number) => {
        for (let at = from; at < to; at += 5000) {
          const records = Array.from({ length: Math.min(5000, to - at) }, (_, i) => ({
            id: `${at + i}`,
            vector: [1],
            attrs: { n: at + i, body: 'sun' },
          }))
          await call(on, 'upsert', 'docs', records)
        }
      }
      const ranked = (filter?: object) =>
        ask(on, 'search', { text: 'sun', vector: [1] }, { fusion: 'rrf', topK: 1, ...(filter && { filter }) })
      const counted = (filter?: object) =>
        ask(on, 'asked', { text: 'sun' }, { topK: 1, facets: { n: { limit: 2 } }, ...(filter && { filter }) })
      await write(0, RANKED)
      expect((await ranked()).ok).toHaveLength(1)
      // Each of the two shards has fewer values than the limit.
      expect((await counted()).ok.facets.n).toEqual([0, 1].map((value) => ({ value, count: 1 })))
      await write(RANKED, 2 * VALUES + 5000)
      expect((await ranked()).error).toMatchObject({ code: 'CAPACITY', message: expect.stringContaining('100000') })
      expect((await ranked({ n: { $lt: 50_000 } })).ok).toHaveLength(1)
      expect((await counted()).error).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('use a filter'),
      })
      expect((await counted({ n: { $gte: 90_000 } })).ok.facets.n).toEqual(
        [90_000, 90_001].map((value) => ({ value, count: 1 })),
      )
    },
  )

  it('have settings in every shard, also if all is killed in between', async () => {
    const on = { store: 'killed', shards: 3 }
    const vector = Array(D).fill(1)
    const records = Array.from({ length: 60 }, (_, n) => ({
      id: `${n}`,
      vector,
      attrs: { title: `sun ${n}`, body: 'sea' },
    }))
    await call(on, 'upsert', 'docs', records)
    // One shard fails to take the settings. The router has stored them already.
    await call(on, 'fault', 'killed', 2, 'texts', 'fail')
    expect((await ask({ ...on, client: 1 }, 'setText', 'docs', ['title'])).error).toMatchObject({ shards: [2] })
    expect(await codeOf(on, 'search', { text: 'sun' })).toBe('BUSY')
    await served().kill()
    await start()
    await expect.poll(async () => (await ask(on, 'search', { text: 'sun' }, { topK: 100 })).ok?.length).toBe(60)
    // A new shard gets the settings before it gets records, even if it is killed in between.
    await call(on, 'fault', 'killed', 4, 'texts', 'fail')
    expect(await codeOf(on, 'grow', 5)).toBe('SHARD_FAILED')
    await served().kill()
    await start()
    await call(on, 'grow', 5)
    expect((await call(on, 'search', { text: 'sun' }, { topK: 100 })).length).toBe(60)
    expect((await call(on, 'stats')).each.map(({ docCount }: { docCount: number }) => docCount > 0)).toEqual(
      Array(5).fill(true),
    )
  })
})

describe('update in a sharded store', () => {
  it('changes attributes as one store does, and says which record does not exist', async () => {
    const on = { store: 'update', shards: 3 }
    const all = await filled(on, 3)
    await all.write(60, 80)
    const { r, one } = all
    const both = async (name: string, changes: { id: string; attrs: object }[]) => {
      expect(await call(on, 'update', name, changes)).toBe(changes.length)
      await one.update(name, changes)
    }
    for (const shards of [3, 5]) {
      await call(on, 'grow', shards)
      const ids = (await one.list('docs', { attrs: false })).map(({ id }) => id)
      await both(
        'docs',
        Array.from({ length: 30 }, () => ({ id: r.pick(ids), attrs: { year: 1990 + r.int(9), title: r.pick(WORDS) } })),
      )
      expect(await call(on, 'list', 'docs')).toEqual(json(await one.list('docs')))
      // `gone` names an attribute that worker.mjs sets to undefined.
      await call(on, 'changed', 'docs', [{ id: ids[0], attrs: { year: 7, gone: 'title' } }])
      await one.update('docs', [{ id: ids[0]!, attrs: { year: 7, title: undefined } }])
      expect(await call(on, 'get', 'docs', [ids[0]])).toMatchObject([
        json({ attrs: (await one.get('docs', ids[0]!))!.attrs }),
      ])
      const { error } = await ask(on, 'update', 'docs', [{ id: 'none', attrs: { year: 1 } }])
      expect(error).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('none') })
      expect(error!.message).not.toContain('nothing was changed')
      expect(await call(on, 'get', 'docs', ids[0])).toMatchObject({ id: ids[0] })
      expect(await call(on, 'get', 'docs', 'none')).toBe(undefined)
      expect(await codeOf(on, 'update', 'docs', [{ id: ids[0], attr: {} }])).toBe('INVALID_ARGUMENT')
    }
    await one.close()
  })

  it('loses nothing while the store grows, and words are found meanwhile', async () => {
    const on = (client: number) => ({ store: 'update grows', shards: 1, client })
    const word = (n: number) => [...`${n}`].map((digit) => 'abcdefghij'[Number(digit)]).join('')
    const records = Array.from({ length: 1500 }, (_, n) => ({
      id: `${n}`,
      vector: Array(D).fill(1 + n),
      attrs: { n, kept: n, body: `all ${word(n)}`, part: n % 5 },
    }))
    await call(on(0), 'setText', 'docs', 'body')
    await call(on(0), 'upsert', 'docs', records)
    await call(on(0), 'slow', 6)
    const last = new Map<string, number>()
    let growing = true
    const writer = async (client: number) => {
      const r = random(client)
      for (let count = 1; growing || count < 10; count++) {
        const ids = [...new Set(Array.from({ length: 20 }, () => `${2 * r.int(750) + (client % 2)}`))]
        const changes = ids.map((id) => ({ id, attrs: { n: -count } }))
        await call(on(client), 'update', 'docs', changes)
        for (const id of ids) last.set(id, -count)
        const unknown = [...changes, { id: 'none', attrs: {} }]
        expect(await codeOf(on(client), 'update', 'docs', unknown)).toBe('NOT_FOUND')
      }
    }
    const reader = async (client: number) => {
      const r = random(client)
      for (let count = 0; growing || count < 10; count++) {
        const n = r.int(1500)
        const hits = (await call(on(client), 'search', { text: word(n) })) as Hit[]
        expect(hits.map(({ id }) => id)).toEqual([`${n}`])
        // Counts are exact, or they are refused.
        const facets = { part: {} }
        const { ok, error } = await ask(on(client), 'asked', { text: 'all' }, { topK: 3, facets })
        if (error) expect(error.code).toBe('BUSY')
        else expect(ok.facets.part.map(({ count }: { count: number }) => count)).toEqual(Array(5).fill(300))
        const listed = (await call(on(client), 'list', 'docs', { orderBy: 'kept', offset: n, limit: 9 })) as Hit[]
        expect(listed.map(({ id }) => Number(id))).toEqual(
          Array.from({ length: Math.min(9, 1500 - n) }, (_, i) => n + i),
        )
      }
    }
    const work = [writer(2), writer(3), reader(4), reader(5)]
    for (const shards of [2, 4]) await call(on(9), 'grow', shards)
    growing = false
    await Promise.all(work)
    await call(on(0), 'slow', 0)
    const found = (await call(on(0), 'list', 'docs', { attrs: ['n', 'kept'] })) as { id: string; attrs: object }[]
    expect(found.length).toBe(1500)
    for (const { id, attrs } of found) expect(attrs).toEqual({ n: last.get(id) ?? Number(id), kept: Number(id) })
  })
})
