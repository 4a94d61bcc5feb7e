import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { until } from '../common/until'

const D = 384
const folder = temporaryFolder('workers')

afterEach(() => void vi.restoreAllMocks())

/** Counts the messages to threads by their names. */
function watch() {
  const asked: Record<string, number> = {}
  const workers = new Set<Worker>()
  const post = Worker.prototype.postMessage
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
    this: Worker,
    message: { ask?: [string] },
    transfer,
  ) {
    workers.add(this)
    if (message.ask) asked[message.ask[0]] = (asked[message.ask[0]] ?? 0) + 1
    return post.call(this, message, transfer)
  })
  return { asked, workers }
}

async function filled(workers: number, rows = 4000) {
  const { next } = random(11)
  const vectors = Float32Array.from({ length: rows * D }, () => next() - 0.5)
  // Some rows have equal scores.
  for (const row of [700, 1500, 2100, 3900]) vectors.copyWithin(row * D, 0, D)
  const db = await Nidus.open('w', { storage: 'memory', dimension: D, workers })
  for (let at = 0; at < rows; at += 500) {
    await db.upsert(at % 1000 ? 'a' : 'b', {
      ids: Array.from({ length: 500 }, (_, i) => `${at + i}`),
      vectors: vectors.slice(at * D, (at + 500) * D),
      attrs: Array.from({ length: 500 }, (_, i) => ({ n: (at + i) % 20 })),
    })
  }
  return {
    db,
    queries: Array.from({ length: 6 }, (_, i) =>
      i === 0 ? vectors.slice(0, D) : Float32Array.from({ length: D }, () => next() - 0.5),
    ),
  }
}

it('distributes rows to workers, and finds with them what one thread finds', async () => {
  const one = await filled(1)
  const { asked, workers } = watch()
  const two = await filled(3)
  expect(workers.size).toBe(2)
  const options = [
    { topK: 2 },
    { topK: 5, filter: { n: { $in: [3, 4, 11] } } },
    { topK: 5, collections: 'b' },
    { topK: 30, minScore: 0.05 },
    { topK: 3, withVectors: true },
  ]
  const same = async () => {
    for (const option of options) {
      for (const query of one.queries)
        expect(await two.db.search(query, option)).toEqual(await one.db.search(query, option))
      expect(await two.db.searchMany(two.queries, option)).toEqual(await one.db.searchMany(one.queries, option))
    }
  }
  await same()
  // There are at most six chunks of 672 rows. The engine keeps every third one, and the workers get the others.
  await until('three appends by workers', () => asked.append === 3)
  await until('a search that asks a worker', async () => (await two.db.search(two.queries[0]!), asked.best! > 0))
  await same()
  for (const { db } of [one, two]) {
    await db.delete('b', ['0', '700', '2100'])
    await db.upsert('a', { ids: ['1', 'new'], vectors: new Float32Array([...one.queries[0]!, ...one.queries[1]!]) })
  }
  await same()
  await Promise.all([one.db.compact(), two.db.compact()])
  await same()
  await until('six appends by workers', () => asked.append! >= 6)
  await same()
  expect(asked.clear).toBe(2)

  // When one worker dies, the engine takes all rows back.
  const asking = two.db.search(two.queries[0]!, { topK: 4 })
  void [...workers][1]!.terminate()
  expect(await asking).toEqual(await one.db.search(one.queries[0]!, { topK: 4 }))
  await same()
  await Promise.all([one.db.close(), two.db.close()])
})

it('finds the same while only some workers have their codes', async () => {
  const one = await filled(1, 24_000)
  const expected = await Promise.all(one.queries.map((query) => one.db.search(query)))
  await one.db.close()
  const { asked } = watch()
  const four = await filled(4, 24_000)
  for (let round = 0; !asked.best || (await four.db.footprint()).codedRows < 23_984; round++) {
    const which = round % four.queries.length
    expect(await four.db.search(four.queries[which]!)).toEqual(expected[which])
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await four.db.close()
})

describe('a process that does not close its store', () => {
  const script = (dist: string) => `
    const { Nidus } = await import(${JSON.stringify(dist)})
    const db = await Nidus.open('x', { dimension: 8, storage: 'memory', workers: 2 })
    await db.upsert('c', [{ id: 'a', vector: [1, 2, 3, 4, 5, 6, 7, 8] }])
    console.log('found', (await db.search([1, 2, 3, 4, 5, 6, 7, 8]))[0].id)`
  const dist = new URL('../../dist/node.js', import.meta.url).href
  const run = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 600_000 })

  it('ends nevertheless, also if it was started with options that threads refuse', () => {
    const file = join(folder, 'script.mjs')
    writeFileSync(file, script(dist))
    for (const args of [[file], ['--input-type=module', '-e', script(dist)]])
      expect(run(...args), args[0]).toMatchObject({ status: 0, signal: null, stdout: 'found a\n' })
  })
})
