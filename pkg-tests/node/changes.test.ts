import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Nidus, type StoreChange } from 'nidus-wasm'
import { arraysHost } from '../common/arrays'
import { changesSuite } from '../common/changes'
import { failingHost } from '../common/failing-host'
import { temporaryFolder } from '../common/folder'
import { until } from '../common/until'

const root = temporaryFolder('changes')

let n = 0
const fs = (options: object) => ({ fresh: () => join(root, `s${n++}`), options: () => options, again: true })
changesSuite('memory', { ...fs({ storage: 'memory' }), again: false })
changesSuite('fs', fs({}))
changesSuite('fs in compact memory', fs({ memory: 'compact' }))
changesSuite("a user's host with transactions", {
  ...fs({}),
  options: () => ({ storage: arraysHost({ transactional: true }) }),
})

const D = 4
const record = (id: string) => ({ id, vector: [1, 0, 0, 0], attrs: { title: `the title of ${id}` } })
const open = (options: object = {}) => Nidus.open(join(root, `s${n++}`), { dimension: D, ...options })
const collect = (db: Nidus) => {
  const told: StoreChange[] = []
  db.on('change', (change) => void told.push(change), { ids: true })
  return told
}

it('an error of a listener is an uncaught error, and the other listeners are called', async () => {
  // Otherwise Vitest would count the error as a failure of the test.
  const handlers = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const uncaught: unknown[] = []
  process.on('uncaughtException', (error) => void uncaught.push(error))
  try {
    const db = await open({ storage: 'memory' })
    const thrown = new Error('the listener failed')
    db.on('change', () => {
      throw thrown
    })
    const told = collect(db)
    await db.upsert('c', record('a'))
    await db.upsert('c', record('b'))
    await until('both errors and both events', () => uncaught.length === 2 && told.length === 2)
    expect(uncaught).toEqual([thrown, thrown])
    await db.close()
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const handler of handlers) process.on('uncaughtException', handler)
  }
})

it('text settings are told once words are found by them, and a compaction is not told', async () => {
  const db = await open()
  const told = collect(db)
  const found: number[] = []
  // This loads the code of searches, so that the searches below begin at once.
  await db.list('c')
  db.on('change', async ({ collections }) => {
    if (collections['c']?.text || collections['c']?.upserted === 1)
      found.push((await db.search({ text: 'title' }, { topK: 100 })).length)
  })
  await db.upsert('c', ['a', 'b'].map(record))
  await db.setText('c', 'title')
  await db.compact()
  await db.upsert('c', record('c'))
  await until('both answers', () => found.length === 2)
  expect(found).toEqual([2, 3])
  await db.createCollection('d', { text: 'title' })
  await db.setText('d', null)
  await until('all events', () => told.length === 5)
  expect(told.map(({ collections }) => Object.entries(collections)[0])).toEqual(
    (
      [
        ['c', { upserted: 2, ids: ['a', 'b'] }],
        ['c', { text: true, ids: [] }],
        ['c', { upserted: 1, ids: ['c'] }],
        ['d', { created: true, text: true, ids: [] }],
        ['d', { text: true, ids: [] }],
      ] as const
    ).map(([name, change]) => [name, { upserted: 0, updated: 0, deleted: 0, ...change }]),
  )
  await db.close()
})

it('a write that the medium refused is not told', async () => {
  const { own } = failingHost({ data: new Uint8Array(), log: new Uint8Array() }, 40)
  const db = await Nidus.open('mine', { dimension: D, storage: own })
  const told = collect(db)
  const written: string[] = []
  const failed = await (async () => {
    for (let i = 0; ; i++) {
      await db.upsert('c', record(`${i}`))
      written.push(`${i}`)
    }
  })().catch((error: { code: string }) => error.code)
  expect(failed).toBe('STORAGE_FAILED')
  expect(written.length).toBeGreaterThan(2)
  await until('the events of what was written', () => told.length >= written.length)
  await new Promise((resolve) => setImmediate(resolve))
  expect(told.map(({ collections }) => collections['c']!.ids![0])).toEqual(written)
  await db.close().catch(() => {})
})

it('a commit that was undone is not told', async () => {
  const host = arraysHost({ transactional: true })
  const db = await Nidus.open('undone', { dimension: D, storage: host })
  const told = collect(db)
  await db.upsert('c', record('before'))
  const { commit } = host
  host.commit = () => Promise.reject(new Error('the medium is full'))
  expect(await db.upsert('c', record('undone')).catch((error: { code: string }) => error.code)).toBe('STORAGE_FAILED')
  host.commit = commit
  await db.upsert('c', record('after'))
  await until('the last event', () => told.length >= 2)
  expect(told.map(({ collections }) => collections['c']!.ids)).toEqual([['before'], ['after']])
  await db.close()
})

it('a store that is opened read-only tells nothing, and its `close` does not wait for that', async () => {
  const name = join(root, 'read-only')
  const db = await Nidus.open(name, { dimension: D })
  await db.upsert('c', record('a'))
  const reader = await Nidus.open(name, { readOnly: true })
  const told = collect(reader)
  const own = collect(db)
  await db.upsert('c', record('b'))
  await until('the event', () => own.length > 0)
  await reader.close()
  await db.close()
  expect(told).toEqual([])
})
