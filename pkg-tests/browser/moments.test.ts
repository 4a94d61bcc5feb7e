// A tab ends at a bad moment. Then the other tabs find all of a write or nothing of it, and their next call is
// answered.
import { afterEach, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'

const D = 256
const ROWS = 51_200 // 50 MB
const url = new URL('../../dist/worker.js', import.meta.url).href
const open: Nidus[] = []
async function tab(name: string, started: (worker: Worker) => void = () => {}) {
  let worker!: Worker
  const db = await Nidus.open(name, {
    dimension: D,
    storage: 'opfs',
    autoCompact: false,
    worker: () => (started((worker = new Worker(url, { type: 'module' }))), worker),
  })
  open.push(db)
  return Object.assign(db, { kill: () => worker.terminate() })
}
type Tab = Awaited<ReturnType<typeof tab>>
const small = (db: Nidus, id: string) => db.upsert('small', [{ id, vector: new Float32Array(D).fill(1) }])
const outcome = (call: Promise<unknown>) =>
  call.then(
    (value) => value,
    (error: { code: string }) => error.code,
  )
let names = 0
const fresh = () => `moment ${Date.now()} ${names++}`

/**
 * The calls that a tab makes before it ends. `before` and `whole`: how many records others may find, without the call
 * and with it.
 */
const doing: { [what: string]: { begin(db: Nidus): Promise<unknown>; whole: number; before: number } } = {
  'a batch of 50 MB': {
    before: 0,
    whole: ROWS,
    begin: (db) =>
      db.upsert('c', {
        ids: Array.from({ length: ROWS }, (_, i) => `${i}`),
        vectors: new Float32Array(ROWS * D).fill(1),
      }),
  },
  'a deletion by a filter': { before: 500, whole: 0, begin: (db) => db.deleteWhere('c', { n: { $gte: 0 } }) },
  'a compaction': { before: 500, whole: 500, begin: (db) => db.compact() },
  'the end of a collection': { before: 500, whole: 0, begin: (db) => db.dropCollection('c') },
}
const fill = async (db: Nidus, rows: number) => {
  if (rows === 0) return
  const ids = Array.from({ length: rows }, (_, i) => `${i}`)
  // Writing twice leaves dead rows to compact.
  for (let time = 0; time < 2; time++)
    await db.upsert('c', { ids, vectors: new Float32Array(rows * D).fill(1), attrs: ids.map((_, n) => ({ n })) })
}
const ends: { [how: string]: (tab: Tab) => unknown } = {
  'is killed': (tab) => tab.kill(),
  'is closed': (tab) => tab.close(),
}

describe('a tab that ends', () => {
  afterEach(async () => {
    for (const db of open.splice(0)) await db.close().catch(() => {})
  })

  for (const [what, { begin, whole, before }] of Object.entries(doing)) {
    for (const [how, end] of Object.entries(ends)) {
      for (const [which, at] of [
        ['the leader', 0],
        ['a follower', 1],
      ] as const) {
        it(`during ${what}, when it ${how}: ${which}`, async () => {
          const name = fresh()
          const tabs = [await tab(name), await tab(name), await tab(name)]
          const ending = tabs[at]!
          const others = tabs.filter((other) => other !== ending)
          await fill(others[1]!, before)
          const asked = outcome(begin(ending))
          // After this answer the call has been made, and much of the large batch has arrived.
          await others[0]!.count()
          const ended = outcome(Promise.resolve(end(ending)))
          const writes = await Promise.all(others.map((other, i) => outcome(small(other, `${i}`))))
          expect(writes).toEqual([1, 1])
          await ended
          const answered = await asked
          const there = await others[0]!.count('c')
          expect([before, whole]).toContain(there)
          if (how === 'is closed') expect(there, String(answered)).toBe(whole)
          expect(await others[1]!.count('small')).toBe(2)
          for (const other of others) await other.close()
          await Nidus.destroy(name, { storage: 'opfs' })
        })
      }
    }

    it(`and leads, during ${what} for a follower: the call is made once`, async () => {
      const name = fresh()
      const [first, second] = [await tab(name), await tab(name)]
      await fill(second, before)
      const asked = outcome(begin(second))
      await second.count()
      first.kill()
      expect(typeof (await asked)).not.toBe('string')
      expect(await second.count('c')).toBe(whole)
      await second.close()
      await Nidus.destroy(name, { storage: 'opfs' })
    })
  }

  it('at the same instant as others, before a write of a remaining tab is answered', async () => {
    const name = fresh()
    const tabs = await Promise.all(Array.from({ length: 5 }, () => tab(name)))
    const stays = tabs.pop()!
    for (const other of tabs) await small(other, 'x')
    const writes = Array.from({ length: 10 }, (_, i) => small(stays, `${i}`))
    tabs.forEach((other, i) => (i % 2 ? other.kill() : void other.close().catch(() => {})))
    expect(await Promise.all(writes)).toEqual(Array(10).fill(1))
    expect(await stays.count('small')).toBe(11)
    await stays.close()
    await Nidus.destroy(name, { storage: 'opfs' })
  })

  it('while it opens the store', async () => {
    const name = fresh()
    for (let round = 0; round < 4; round++) {
      const opening = outcome(
        tab(name, (worker) => {
          // The first message says that the worker has loaded. At the second one the opening has begun.
          let heard = 0
          worker.addEventListener('message', () => ++heard > round % 2 && worker.terminate())
        }),
      )
      const other = await tab(name)
      expect(await small(other, `${round}`)).toBe(1)
      await opening
      expect(await other.count('small')).toBe(round + 1)
      await other.close()
    }
    await Nidus.destroy(name, { storage: 'opfs' })
  })

  it('while it imports over a store: the next opening finds either the old or the new store, whole', async () => {
    const name = fresh()
    const source = await tab(fresh())
    await fill(source, 700)
    const tar = new Uint8Array(await new Response(source.export()).arrayBuffer())
    for (let parts = 0; parts < 6; parts++) {
      const old = await tab(name)
      if (!(await old.hasCollection('old'))) await old.upsert('old', [{ id: 'a', vector: new Float32Array(D).fill(1) }])
      await old.close()
      let worker!: Worker
      let heard = 0
      const importing = Nidus.import(name, tar, {
        storage: 'opfs',
        replace: true,
        worker: () => {
          worker = new Worker(url, { type: 'module' })
          worker.addEventListener('message', () => ++heard > parts && worker.terminate())
          return worker
        },
      })
      const code = await importing.then(
        (db) =>
          db.close().then(
            () => 'whole',
            () => 'whole',
          ),
        (error: { code: string }) => error.code,
      )
      expect(['WORKER_FAILED', 'whole']).toContain(code)
      const after = await tab(name)
      expect([await after.count('old'), await after.count('c')].join(' ')).toMatch(/^(1 0|0 700)$/)
      await after.close()
    }
    await source.close()
  })
})
