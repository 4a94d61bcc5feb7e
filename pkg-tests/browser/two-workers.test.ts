import { afterEach, expect, it } from 'vitest'
import { Nidus, type OpenOptions } from 'nidus-wasm'
import { until } from '../common/until'

// A page starts the small worker for an ordinary store in OPFS, and the whole worker for everything else.

const names: string[] = []
const fresh = () => {
  names.push(`two workers ${Date.now()} ${names.length}`)
  return names.at(-1)!
}
afterEach(async () => {
  for (const name of names.splice(0)) await Nidus.destroy(name)
})

/** The path is a variable. If it were in the template, Vite would load every file that matches, even source maps. */
const up = '../..'
const dist = (file: string) => new URL(`${up}/dist/${file}`, import.meta.url)
/** Returns a function that starts workers, and the list of those that it has started: 'whole' or 'small'. */
function started(small = dist('worker-opfs.js')) {
  const files: string[] = []
  const worker = (whole: boolean) => {
    files.push(whole ? 'whole' : 'small')
    return new Worker(whole ? dist('worker.js') : small, { type: 'module' })
  }
  return { files, worker }
}
const D = 4
const vectors = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: `d${i}`, vector: [1, i, 0, 1], attrs: { i } }))
async function openings(name: string, options: OpenOptions) {
  const { files, worker } = started()
  const db = await Nidus.open(name, { dimension: D, ...options, worker })
  return { files, db }
}

it('the small worker writes, searches, filters, compacts, exports and follows', async () => {
  const name = fresh()
  const { files, db } = await openings(name, {})
  await db.upsert('c', vectors(50))
  await db.deleteWhere('c', { i: { $lt: 10 } })
  await db.compact()
  expect((await db.search([1, 49, 0, 1], { topK: 1 }))[0]!.id).toBe('d49')
  const follower = await openings(name, {})
  expect(await follower.db.count()).toBe(40)
  let bytes = 0
  for await (const piece of (await db.export()).pipeThrough(new TransformStream<Uint8Array, Uint8Array>()))
    bytes += piece.length
  expect(bytes).toBeGreaterThan(40 * D * 4)
  await db.close()
  // The follower leads now, and its worker is the small one, too.
  await follower.db.upsert('c', vectors(1))
  expect(await follower.db.count()).toBe(41)
  await follower.db.close()
  expect([...files, ...follower.files]).toEqual(['small', 'small'])
})

it('starts the whole worker at once if the page knows that it is needed', async () => {
  for (const [options, count] of [
    [{ storage: 'indexeddb' }, 1],
    [{ storage: 'memory' }, 1],
    // The page starts the search workers, too.
    [{ workers: 3 }, 3],
  ] as const) {
    const { files, db } = await openings(fresh(), options)
    await db.upsert('c', vectors(3))
    expect(await db.count()).toBe(3)
    await db.close()
    expect(files).toEqual(Array.from({ length: count }, () => 'whole'))
  }
})

it('search workers end with their store, and it goes on without them if one fails', async () => {
  const live = new Set<Worker>()
  const worker = () => {
    const made = new Worker(dist('worker.js'), { type: 'module' })
    live.add(made)
    const { terminate } = made
    made.terminate = () => {
      live.delete(made)
      terminate.call(made)
    }
    return made
  }
  const db = await Nidus.open(fresh(), { dimension: D, workers: 3, worker })
  expect(live.size).toBe(3)
  await db.upsert('c', vectors(500))
  const [store, ...others] = [...live]
  others[0]!.dispatchEvent(new ErrorEvent('error', { message: 'no memory' }))
  await until('both search workers are ended', () => live.size === 1)
  expect([...live]).toEqual([store])
  expect((await db.search([1, 2, 0, 1], { topK: 1 }))[0]!.id).toBe('d2')
  await db.close()
  expect(live.size).toBe(0)
  const again = await Nidus.open(fresh(), { dimension: D, workers: 3, worker })
  expect(live.size).toBe(3)
  await again.close()
  await until('all workers are ended', () => live.size === 0)
})

it('an opening whose search workers cannot be started is WORKER_FAILED, and says why', async () => {
  let count = 0
  const worker = () => {
    if (count++ > 0) throw new Error('no more workers')
    return new Worker(dist('worker.js'), { type: 'module' })
  }
  const opening = Nidus.open(fresh(), { dimension: D, workers: 2, worker })
  await expect(opening).rejects.toMatchObject({ code: 'WORKER_FAILED', message: /no more workers/ })
  count = 0
  const missing = () => new Worker(count++ > 0 ? dist('no-such-worker.js') : dist('worker.js'), { type: 'module' })
  await expect(Nidus.open(fresh(), { dimension: D, workers: 2, worker: missing })).rejects.toMatchObject({
    code: 'WORKER_FAILED',
  })
})

it('starts the whole worker for import, list, destroy and salvage', async () => {
  const name = fresh()
  const { db } = await openings(name, {})
  await db.upsert('c', vectors(5))
  const bytes = await new Response(await db.export()).blob()
  await db.close()
  const { files, worker } = started()
  const copy = await Nidus.import(fresh(), bytes, { worker })
  expect(await copy.count()).toBe(5)
  await copy.close()
  await Nidus.list({ worker })
  expect((await Nidus.salvage(name, fresh(), { worker })).documents).toBe(5)
  await Nidus.destroy(name, { worker })
  expect(files).toEqual(['whole', 'whole', 'whole', 'whole'])
})

it('changes to the whole worker when the store turns out to be in IndexedDB, alone and as a follower', async () => {
  const name = fresh()
  const first = await openings(name, { storage: 'indexeddb' })
  await first.db.upsert('c', vectors(3))
  const follower = await openings(name, {})
  expect([follower.db.storage, await follower.db.count(), follower.files]).toEqual(['indexeddb', 3, ['small', 'whole']])
  await first.db.close()
  expect(await follower.db.count()).toBe(3)
  await follower.db.close()
  const alone = await openings(name, { multiTab: false })
  expect([alone.db.storage, await alone.db.count(), alone.files]).toEqual(['indexeddb', 3, ['small', 'whole']])
  await alone.db.close()
  const reader = await openings(name, { readOnly: true })
  expect([await reader.db.count(), reader.files]).toEqual([3, ['small', 'whole']])
  await reader.db.close()
})

it('uses worker.js if only that file was copied beside the page', async () => {
  const { files, worker } = started(dist('there-is-no-such-worker.js'))
  const db = await Nidus.open(fresh(), { dimension: D, worker })
  await db.upsert('c', vectors(3))
  expect([db.storage, await db.count(), files]).toEqual(['opfs', 3, ['small', 'whole']])
  let state = 'open'
  void db.closed.then(({ reason }) => (state = reason))
  expect(state).toBe('open')
  await db.close()
  await db.closed
  expect(state).toBe('closed')
})

it('calls a function without a parameter once, and reports what went wrong with its worker', async () => {
  let count = 0
  const worker = () => (count++, new Worker(dist('there-is-no-such-worker.js'), { type: 'module' }))
  await expect(Nidus.open(fresh(), { dimension: D, worker })).rejects.toMatchObject({ code: 'WORKER_FAILED' })
  expect(count).toBe(1)
})
