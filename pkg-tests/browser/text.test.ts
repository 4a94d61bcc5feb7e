import { afterAll, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { arraysHost } from '../common/arrays'
import type { Place } from '../common/api'
import { listSuite } from '../common/lists'
import { textSuite } from '../common/text'

let n = 0
const names: string[] = []
const opfs: Place = {
  fresh: () => {
    names.push(`text/${Date.now()} ${n++}`)
    return names.at(-1)!
  },
  options: () => ({}),
  again: true,
}
const databases: string[] = []
textSuite('opfs', opfs)
listSuite('opfs', opfs)
textSuite('indexeddb in compact memory', {
  fresh: () => {
    databases.push(`text/${Date.now()} ${n++}`)
    return databases.at(-1)!
  },
  options: () => ({ storage: 'indexeddb', memory: 'compact' }),
  again: true,
})
textSuite("a user's host, in the page", {
  fresh: () => `h${n++}`,
  options: () => ({ storage: arraysHost() }),
  again: false,
})
afterAll(async () => {
  for (const name of names) await Nidus.destroy(name)
  for (const name of databases) await Nidus.destroy(name, { storage: 'indexeddb' })
})

it('answers in a tab that follows another', async () => {
  const name = opfs.fresh()
  const [first, second] = [await Nidus.open(name, { dimension: 3 }), await Nidus.open(name)]
  await second.setText('docs', 'body')
  await first.upsert('docs', [{ id: 'a', vector: [1, 0, 0], attrs: { body: 'a quiet river' } }])
  for (const db of [first, second]) {
    const [hit] = await db.search({ text: 'River', vector: [1, 0, 0] }, { highlight: true })
    expect(hit).toMatchObject({ id: 'a', matches: { body: [[8, 13]] } })
  }
  expect(await second.list('docs', { orderBy: { body: 'desc' }, attrs: false })).toEqual([{ id: 'a', attrs: {} }])
  expect(await second.similar('docs', 'a')).toEqual([])
  await first.close()
  await second.upsert('docs', [{ id: 'b', vector: [0, 1, 0], attrs: { body: 'another river' } }])
  expect((await second.search({ text: 'another' })).map(({ id }) => id)).toEqual(['b'])
  await second.close()
})

it('finds words where everything is in one file', async () => {
  const { Nidus: Inline } = await import('nidus-wasm/inline')
  const name = opfs.fresh()
  const db = await Inline.open(name, { dimension: 3 })
  await db.createCollection('docs', { text: 'body' })
  await db.upsert('docs', [{ id: 'a', vector: [1, 0, 0], attrs: { body: 'a quiet river' } }])
  expect((await db.search({ text: 'RIVER' })).map(({ id }) => id)).toEqual(['a'])
  await db.close()
})

it('fetches the wasm of words for a search for words alone', async () => {
  const name = opfs.fresh()
  const db = await Nidus.open(name, { dimension: 3 })
  await db.upsert('docs', [{ id: 'a', vector: [1, 0, 0] }])
  await db.search([1, 0, 0], { offset: 0, facets: { kind: {} } })
  await db.list('docs', { orderBy: 'kind' })
  expect(await db.footprint()).not.toHaveProperty('text')
  await db.setText('docs', 'body')
  expect((await db.footprint()).text).toMatchObject({ behind: 0 })
  await db.close()
})
