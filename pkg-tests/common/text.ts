import { describe, expect, it } from 'vitest'
import { Nidus, type Attrs, type Filter, type QuestionOptions } from 'nidus-wasm'
import { codeOf, type Place } from './api'
import { EVERY_CASE, random } from './model'
import { TextModel, sameAnswer, type ModelHit, type ModelOptions } from './text-model'

export const D = 8
export const WORDS = 'river stone cloud amber field glass north cedar ember frost grain haven'.split(' ')

const ids = (hits: { id: string }[]) => hits.map(({ id }) => id)

export type Random = ReturnType<typeof random>
const sentence = (r: Random, most: number) =>
  Array.from({ length: r.int(most) }, () => r.pick(r.next() < 0.5 ? WORDS.slice(0, 3) : WORDS)).join(' ')

export function someTexts(r: Random): Attrs {
  const attrs: Attrs = {}
  if (r.next() < 0.9) attrs['title'] = sentence(r, 4)
  if (r.next() < 0.8) attrs['body'] = r.next() < 0.2 ? [sentence(r, 5), sentence(r, 5)] : sentence(r, 15)
  if (r.next() < 0.1) attrs['body'] = r.pick([null, 7, true])
  if (r.next() < 0.8) attrs['kind'] = r.pick(['a', 'b', 'c', 1, '1'])
  if (r.next() < 0.5) attrs['tags'] = r.pick([['x'], ['x', 'y'], []])
  return attrs
}

const KEEP: [Filter | undefined, ModelOptions['keep']][] = [
  [undefined, () => true],
  [{ kind: 'a' }, ({ kind }) => kind === 'a'],
  [{ kind: { $in: ['a', 'b'] } }, ({ kind }) => kind === 'a' || kind === 'b'],
  [{ tags: { $exists: true } }, ({ tags }) => tags !== undefined],
]

/**
 * Tests searches for words, and for words and vectors, against a naive model. Also tests the shapes of their answers.
 */
export function textSuite(kind: string, place: Place) {
  const open = (name = place.fresh()) => Nidus.open(name, { dimension: D, ...place.options() })

  describe(`words over ${kind}`, () => {
    it('gives the answers of a naive model, over any history', { timeout: 1_200_000 }, async () => {
      let questions = 0
      for (let seed = 1; seed <= (EVERY_CASE ? 40 : 4); seed++) {
        const r = random(seed)
        const name = place.fresh()
        let db = await open(name)
        const model = new TextModel()
        const settings = async (collection: string) => {
          const text = r.pick<{ [field: string]: { weight?: number } } | null>([
            { title: { weight: 3 }, body: {} },
            { body: {} },
            { title: {}, body: { weight: 0.5 } },
            null,
          ])
          await db.setText(collection, text)
          model.collection(collection).text = text
            ? Object.fromEntries(Object.entries(text).map(([field, { weight = 1 }]) => [field, weight]))
            : undefined
        }
        await settings('a')
        for (let act = 0; act < (EVERY_CASE ? 80 : 40); act++) {
          const collection = r.pick(['a', 'a', 'b'])
          const choice = r.int(15)
          if (choice < 6) {
            const records = Array.from({ length: 1 + r.int(20) }, () => ({
              id: `r${r.int(60)}`,
              vector: r.next() < 0.1 ? Float32Array.from({ length: D }, () => 1) : r.vector(D),
              attrs: someTexts(r),
            }))
            // Some get another vector and keep their texts.
            for (const record of records) {
              const known = model.all.get(collection)?.docs.get(record.id)
              if (known && r.next() < 0.3) record.attrs = { ...known.attrs }
            }
            await db.upsert(collection, records)
            for (const { id, vector, attrs } of records) model.collection(collection).docs.set(id, { vector, attrs })
          } else if (choice === 6) {
            const ids = Array.from({ length: 8 }, () => `r${r.int(60)}`)
            await db.delete(collection, ids)
            for (const id of ids) model.all.get(collection)?.docs.delete(id)
          } else if (choice === 7) {
            await db.deleteWhere(collection, { kind: 'c' })
            for (const [id, { attrs }] of model.all.get(collection)?.docs ?? [])
              if (attrs['kind'] === 'c') model.all.get(collection)!.docs.delete(id)
          } else if (choice === 8) await settings(collection)
          else if (choice === 9 && r.next() < 0.4) {
            await db.dropCollection(collection)
            model.all.delete(collection)
          } else if (choice === 13) {
            const [known] = [...(model.all.get(collection)?.docs ?? [])].slice(-1)
            if (!known) continue
            const attrs: Attrs =
              r.next() < 0.4
                ? { n: r.int(9) }
                : { title: sentence(r, 4), body: r.next() < 0.5 ? undefined : sentence(r, 9) }
            await db.update(collection, { id: known[0], attrs })
            for (const [key, value] of Object.entries(attrs))
              if (value === undefined) delete known[1].attrs[key]
              else known[1].attrs[key] = value
          } else if (choice === 10) await db.compact()
          else if (choice === 11 && place.again) {
            await db.close()
            db = await open(name)
          } else if (choice === 12) await db.setMeta(collection, { a: 'b' }).then(() => model.collection(collection))
          else {
            for (let n = 0; n < 6; n++) {
              await check(db, model, r)
              questions++
            }
          }
        }
        await db.close()
      }
      expect(questions).toBeGreaterThan(10)
    })

    it('says what is wrong with a question, and with settings', async () => {
      const db = await open()
      await db.upsert('c', [{ id: 'a', vector: Array<number>(D).fill(1), attrs: { body: 'river' } }])
      await expect(db.search({ text: 'river' })).rejects.toThrow(/setText/)
      expect(await codeOf(() => db.search({ text: 'river' }, { collections: 'c' }))).toBe('INVALID_ARGUMENT')
      await db.setText('c', 'body')
      expect(await db.getText('c')).toEqual({ body: { weight: 1 } })
      expect(await db.getMeta('c')).toEqual({})
      await db.setMeta('c', { model: 'm' })
      expect(await db.getMeta('c')).toEqual({ model: 'm' })
      expect(await db.getText('c')).toEqual({ body: { weight: 1 } })
      expect(ids(await db.search({ text: 'River!' }))).toEqual(['a'])
      expect(await db.search({ text: '  ...' })).toEqual([])
      expect(await db.search({ text: '' })).toEqual([])
      expect(await db.search({ text: 'river' }, { topK: 0 })).toEqual([])
      expect(await db.search({ text: 'river' }, { offset: 5 })).toEqual([])
      await expect(db.search({ text: 'river' }, { fields: ['bodi'] })).rejects.toThrow(/"bodi".*"body"/)
      for (const [query, options] of [
        [{ text: 7 }],
        [{ txt: 'river' }],
        [{ text: 'river' }, { prefixx: true }],
        [{ text: 'river' }, { match: 'some' }],
        [{ text: 'river' }, { fuzzy: 2 }],
        [{ text: 'river' }, { fusion: { text: 2 } }],
        [{ text: 'river' }, { groupBy: 7 }],
        [{ text: 'river' }, { groupBy: { key: 'a', size: 0 } }],
        [{ text: 'river' }, { facets: ['a'] }],
        [{ text: 'river' }, { highlight: 'body' }],
        [{ text: 'river' }, { highlight: ['body', 'no such field'] }],
        [{ text: 'river', vector: [1] }],
      ] as [object, object?][])
        expect(
          await codeOf(() => db.search(query as { text: string }, options as QuestionOptions)),
          JSON.stringify([query, options]),
        ).toMatch(/INVALID_ARGUMENT|DIMENSION_MISMATCH/)
      for (const text of [[], {}, 7, [7], { body: 7 }, { body: { weight: 0 } }, { body: { wait: 1 } }])
        expect(await codeOf(() => db.setText('c', text as string[]))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => db.setMeta('c', { 'nidus.text': 'x' }))).toBe('INVALID_ARGUMENT')
      await db.setText('c', null)
      expect(await db.getText('c')).toBeUndefined()
      expect(await db.getMeta('c')).toEqual({ model: 'm' })
      expect(await codeOf(() => db.search({ text: 'river' }))).toBe('INVALID_ARGUMENT')
      await db.close()
    })

    it('marks the words that were found', async () => {
      const db = await open()
      await db.createCollection('c', { text: ['title', 'tags'] })
      const vector = Array<number>(D).fill(1)
      await db.upsert('c', [
        { id: 'a', vector, attrs: { title: '\u{1F600} the river, a RIVER', tags: ['stone', 'a river'] } },
        { id: 'b', vector, attrs: { title: 'stone' } },
      ])
      const [hit] = await db.search({ text: 'river' }, { highlight: true })
      expect(hit!.matches).toEqual({
        title: [
          [7, 12],
          [16, 21],
        ],
        tags: [[2, 7, 1]],
      })
      expect(hit!.snippet).toContain('river')
      const [only] = await db.search({ text: 'river' }, { highlight: ['tags'] })
      expect(Object.keys(only!.matches!)).toEqual(['tags'])
      expect((await db.search({ text: 'river' }))[0]).not.toHaveProperty('matches')
      await db.close()
    })
  })
}

export async function check(db: Nidus, model: TextModel, r: Random) {
  const [filter, keep] = r.pick(KEEP)
  const collections = r.pick<string[] | undefined>([undefined, ['a'], ['b'], ['a', 'b']])
  const text = r.next() < 0.1 ? '' : Array.from({ length: 1 + r.int(3) }, () => r.pick([...WORDS, 'absent'])).join(' ')
  const vector = r.next() < 0.6 ? r.vector(D) : undefined
  const fusion = r.pick<QuestionOptions['fusion']>([undefined, { text: 0 }, { text: 1 }, { text: 0.3 }, 'rrf'])
  const fields = r.next() < 0.2 ? ['body'] : undefined
  const matchAll = r.next() < 0.3
  const topK = r.pick([1, 3, 10, 100])
  const offset = r.pick([0, 0, 2, 10])
  const options: QuestionOptions = {
    topK,
    offset,
    collections,
    filter,
    fusion,
    fields,
    match: matchAll ? 'all' : 'any',
  }
  const inScope = (name: string) => !collections || collections.includes(name)
  const searched = [...model.all].filter(([name, { text }]) => inScope(name) && text).map(([, { text }]) => text!)
  if (text && (searched.length === 0 || (fields && !searched.some((each) => 'body' in each)))) {
    expect(await codeOf(() => db.search({ text, vector }, options))).toBe('INVALID_ARGUMENT')
    return
  }
  const ranking = model.search({ text, vector }, { collections, keep, fusion, fields, matchAll })
  const expected = text || vector ? ranking : []
  const answer = await db.search({ text, vector }, options)
  try {
    sameAnswer(answer, expected, topK, offset)
  } catch (error) {
    const settings = Object.fromEntries([...model.all].map(([name, { text }]) => [name, text]))
    throw new Error(
      `${JSON.stringify({ text, vector: !!vector, ...options, settings })}: ${(error as Error).message}`,
      { cause: error },
    )
  }
  const grouped = await db.search({ text, vector }, { ...options, offset: 0, groupBy: { key: 'kind', size: 2 } })
  sameGroups(grouped, expected, topK, 2)
  const facets = (await db.search({ text, vector }, { ...options, facets: { kind: { limit: 100 } } })).facets!
  const counted = text ? expected.filter(({ textScore }) => (textScore ?? 0) > 0) : expected
  if (vector || text)
    expect(
      new Map(facets['kind']!.map(({ value, count }: { value: unknown; count: number }) => [value, count])),
    ).toEqual(countsOf(counted.map(({ attrs }) => attrs['kind'])))
}

function countsOf(values: unknown[]) {
  const counts = new Map<unknown, number>()
  for (const value of values) if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function sameGroups(got: (ModelHit & { group?: unknown })[], ranking: ModelHit[], topK: number, size: number) {
  const groups = new Map<unknown, ModelHit[]>()
  for (const hit of ranking) {
    const group = groups.get(hit.attrs['kind']) ?? []
    groups.set(hit.attrs['kind'], group)
    if (group.length < size) group.push(hit)
  }
  const runs: (typeof got)[] = []
  for (const hit of got) {
    const last = runs.at(-1)
    if (last && last[0]!.group === hit.group) last.push(hit)
    else runs.push([hit])
  }
  // Hits whose scores differ only by rounding may stand in either order, and so may groups with such scores.
  const close = (a: number, b: number) => expect(Math.abs(a - b)).toBeLessThan(1e-6)
  const known = new Map(ranking.map((hit) => [`${hit.collection} ${hit.id}`, hit]))
  const best = [...groups.values()].map(([first]) => first!.score)
  expect(runs.length).toBe(Math.min(topK, groups.size))
  runs.forEach((run, i) => {
    close(run[0]!.score, best[i]!)
    const own = groups.get(run[0]!.group)!
    expect(run.length).toBe(own.length)
    run.forEach((hit, n) => {
      const model = known.get(`${hit.collection} ${hit.id}`)!
      expect(hit.group).toEqual(model.attrs['kind'])
      close(hit.score, model.score)
      close(hit.score, own[n]!.score)
    })
  })
  expect(new Set(runs.map(([hit]) => hit!.group)).size).toBe(runs.length)
}
