import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Nidus } from 'nidus-wasm'
import { EVERY_CASE, random } from '../common/model'
import { someTexts, type Random } from '../common/text'
import { TextModel, sameAnswer } from '../common/text-model'
import { opened, type Opener } from './explore'
import { nodeFs, removeAll } from './fs-host'
import { Medium, type Event, type Image } from './medium'
import { opfs } from './opfs-host'
import { DIMENSION } from './plan'

afterAll(removeAll)

// The browsers' entry fetches the wasm that finds words. It is a file here, and Node's own `fetch` cannot read files.
const { fetch } = globalThis
globalThis.fetch = async (source, init) =>
  String(source).startsWith('file:')
    ? new Response(readFileSync(new URL(String(source))), { headers: { 'content-type': 'application/wasm' } })
    : fetch(source, init)

/** The most images that are tried for one moment. */
const MOST = Number(process.env['NIDUS_CRASH_MOST'] ?? (EVERY_CASE ? 200 : 3))
const QUESTIONS = ['river', 'stone cloud', 'haven grain', 'amber north']

const records = (r: Random, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({
    id: `r${from + i}`,
    vector: r.vector(DIMENSION),
    attrs: someTexts(r),
  }))

/** Checks that the store finds the same as a naive search over its own records. */
async function compare(db: Nidus) {
  if (!(await db.hasCollection('c')) || !(await db.getText('c'))) return
  const model = new TextModel()
  for await (const { id, vector, attrs } of db.records('c')) model.collection('c').docs.set(id, { vector, attrs })
  model.collection('c').text = { title: 3, body: 1 }
  for (const text of QUESTIONS) sameAnswer(await db.search({ text }, { topK: 50 }), model.search({ text }), 50)
}

/** Adds, replaces, updates and deletes records, so that the file of the indexes is out of date. */
async function further(db: Nidus, r: Random) {
  if (!(await db.hasCollection('c'))) return
  await db.upsert('c', records(r, 3, 6))
  await db.upsert('c', records(r, 900, 903))
  await db.update('c', { id: 'r4', attrs: { body: 'river haven' } })
  await db.delete('c', ['r5', 'r901'])
}

/**
 * The work of each opening. The first one writes a file of the indexes, the second one replaces it, and the third one
 * does so after a compaction.
 */
const OPENINGS: ((db: Nidus, r: Random) => Promise<void>)[] = [
  async (db, r) => {
    await db.createCollection('c', { text: { title: { weight: 3 }, body: {} } })
    await db.upsert('c', records(r, 0, 320))
    await compare(db)
  },
  async (db, r) => {
    await further(db, r)
    await db.upsert('c', records(r, 250, 600))
    await compare(db)
  },
  async (db, r) => {
    await db.delete(
      'c',
      Array.from({ length: 60 }, (_, i) => `r${i * 3}`),
    )
    await db.compact()
    await compare(db)
  },
]

async function explore(opener: Opener) {
  const r = random(5)
  const medium = new Medium({ flushMakesName: opener.flushMakesName, seed: 3 })
  let images = 0
  const seen = new Set<string>()
  const look = async (image: Image) => {
    images++
    const names = new Map([...image.keys()].map((name, i) => [name, i]))
    await opened(opener, image, names, names.size, async (db) => {
      await compare(db)
      await further(db, r)
      await compare(db)
    })
  }
  let saved = 0
  for (const work of OPENINGS) {
    const { image, names, files } = medium.now()
    const events = await opened(opener, image, names, files, (db) => work(db, r))
    const words = new Set<number>()
    for (const event of events) {
      const own = ownOf(event, words, names)
      if (own) {
        saved++
        const all = [...medium.images(6)].filter(({ hash }) => !seen.has(hash))
        for (let n = 0; n < MOST && all.length > 0; n++) {
          const [{ hash, image }] = all.splice(r.int(all.length), 1) as [(typeof all)[0]]
          seen.add(hash)
          await look(image)
        }
        // After a kill of the process, everything that was written is there.
        await look(medium.now().image)
      }
      medium.apply(event)
    }
    await look(medium.now().image)
  }
  console.log(`${saved} events of the file, ${images} images`)
  expect(saved).toBeGreaterThanOrEqual(9)
  expect(images).toBeGreaterThan(20)
}

/** Returns whether an event is about the file of the indexes. Adds the numbers of such files to `words`. */
function ownOf(event: Event, words: Set<number>, names: Map<string, number>): boolean {
  const isName = (name: string) => name.startsWith('words')
  for (const [name, file] of names) if (isName(name)) words.add(file)
  if (event.kind === 'link' && isName(event.name)) words.add(event.file)
  if ('file' in event) return words.has(event.file)
  if (event.kind === 'rename') return isName(event.from)
  return event.kind === 'unlink' && isName(event.name)
}

describe('whatever a crash leaves of the file of the indexes of words', () => {
  it('the store finds the right documents, on files', () => explore(nodeFs), 1_200_000)
  it('the store finds the right documents, on OPFS', () => explore(opfs), 1_200_000)
})
