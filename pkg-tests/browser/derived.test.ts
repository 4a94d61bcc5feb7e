import { afterAll, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { derivedSuite, type WordsFile } from '../common/derived'
import { MARK, POISON, poisoned, written } from '../common/words-file'
import { answer, inDatabase } from './idb-tools'

const used: [name: string, storage: 'opfs' | 'indexeddb'][] = []
const fresh = (storage: 'opfs' | 'indexeddb') => () => {
  used.push([`derived ${Date.now()} ${used.length}`, storage])
  return used.at(-1)![0]
}
afterAll(async () => {
  for (const [name, storage] of used) await Nidus.destroy(name, { storage })
})

const stores = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm')
const folderOf = async (name: string) => (await stores()).getDirectoryHandle(encodeURIComponent(name))
const orNothing = (error: Error) => {
  if (error.name !== 'NotFoundError') throw error
  return undefined
}
const opfs: WordsFile = {
  async read(name) {
    const file = await (await folderOf(name)).getFileHandle('words').catch(orNothing)
    return file && new Uint8Array(await (await file.getFile()).arrayBuffer())
  },
  async write(name, bytes) {
    const writable = await (await (await folderOf(name)).getFileHandle('words', { create: true })).createWritable()
    await writable.write(bytes)
    await writable.close()
  },
  async all(name) {
    const folder = await folderOf(name).catch(orNothing)
    const names: string[] = []
    for await (const file of (folder as unknown as { keys(): AsyncIterable<string> } | undefined)?.keys() ?? [])
      names.push(file)
    return names
  },
}
const FIRST = ['words', 0, 0]
const indexeddb: WordsFile = {
  read: (name) => inDatabase(name, (_, extents) => answer<Uint8Array | undefined>(extents.get(FIRST))),
  write: (name, bytes) => inDatabase(name, async (_, extents) => void (await answer(extents.put(bytes, FIRST)))),
  all: async (name) =>
    (await indexedDB.databases()).flatMap(({ name: found }) => (found === `nidus-wasm:${name}` ? [found] : [])),
}
derivedSuite('opfs', { fresh: fresh('opfs'), options: () => ({ storage: 'opfs' }), again: true }, opfs)
derivedSuite(
  'indexeddb',
  { fresh: fresh('indexeddb'), options: () => ({ storage: 'indexeddb' }), again: true },
  indexeddb,
)

const texts = Array.from({ length: 300 }, (_, i) => ({
  id: `r${i}`,
  vector: [1, 0],
  attrs: { body: i === 5 ? MARK : `river ${i}` },
}))
const count = async (db: Nidus, text: string) => (await db.search({ text }, { topK: 1000 })).length

async function made() {
  const name = fresh('opfs')()
  const db = await Nidus.open(name, { dimension: 2, storage: 'opfs' })
  await db.createCollection('c', { text: 'body' })
  await db.upsert('c', texts)
  await count(db, 'river')
  await db.close()
  return name
}

describe('the file of the indexes of words in OPFS', () => {
  it('is written by the tab that leads, also for another tab, and used by the next one that leads', async () => {
    const name = fresh('opfs')()
    const first = await Nidus.open(name, { dimension: 2, storage: 'opfs' })
    const second = await Nidus.open(name)
    await second.createCollection('c', { text: 'body' })
    await second.upsert('c', texts)
    await written(() => opfs.read(name))
    await opfs.write(name, poisoned((await opfs.read(name))!))
    await second.upsert('c', { id: 'new', vector: [0, 1], attrs: { body: 'a new river' } })
    await first.close()
    expect([await count(second, POISON), await count(second, MARK), await count(second, 'river')]).toEqual([1, 0, 300])
    await second.close()
  })

  it('is read and never written by an opening that only reads', async () => {
    const name = await made()
    await opfs.write(name, poisoned((await opfs.read(name))!))
    const db = await Nidus.open(name, { readOnly: true })
    expect([await count(db, POISON), await count(db, 'river')]).toEqual([1, 299])
    await db.close()
    await (await folderOf(name)).removeEntry('words')
    const again = await Nidus.open(name, { readOnly: true })
    expect([await count(again, MARK), await count(again, 'river')]).toEqual([1, 299])
    await again.close()
    expect(await opfs.read(name)).toBeUndefined()
  })

  it('stays with its folder if it is of another program when the store is removed', async () => {
    const name = await made()
    await opfs.write(name, new TextEncoder().encode('a novel'))
    await Nidus.destroy(name)
    expect(await opfs.all!(name)).toEqual(['words'])
    await (await stores()).removeEntry(encodeURIComponent(name), { recursive: true })
  })
})
