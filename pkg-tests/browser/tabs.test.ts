import { afterEach, describe, expect, it } from 'vitest'
import { Nidus, type NidusError, type OpenOptions } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { breakable, patchedWorker } from './in-worker'

const D = 4
const used: string[] = []
const open = new Set<Nidus>()
const fresh = () => {
  used.push(`tabs ü ${Date.now()} ${used.length}`)
  return used.at(-1)!
}
const url = new URL('../../dist/worker.js', import.meta.url).href

/** Opens a store with a worker of its own, as each tab has one. `kill` ends the worker as if its tab was killed. */
async function tab(name: string, options: OpenOptions = {}) {
  let started!: Worker
  const worker = () => (started = new Worker(url, { type: 'module' }))
  const db = await Nidus.open(name, { dimension: D, storage: 'opfs', worker, ...options })
  open.add(db)
  return Object.assign(db, { kill: () => started.terminate() })
}
const rows = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({ id: `${from + i}`, vector: [1, from + i, 0, 0], attrs: { n: from + i } }))

for (const storage of ['opfs', 'indexeddb'] as const) {
  describe(`several tabs, ${storage}`, () => {
    afterEach(async () => {
      for (const db of open) await db.close().catch(() => {})
      open.clear()
      for (const name of used.splice(0)) await Nidus.destroy(name, { storage })
    })
    const of = (name: string, options: OpenOptions = {}) => tab(name, { storage, ...options })

    it('have one store together', async () => {
      const name = fresh()
      const [a, b, c] = [await of(name), await of(name), await of(name, { dimension: undefined as never })]
      expect([a, b, c].map(({ dimension, storage }) => [dimension, storage])).toEqual(Array(3).fill([D, storage]))
      expect([a.recovery.created, b.recovery.created]).toEqual([true, false])
      expect(await b.upsert('c', rows(3))).toBe(3)
      expect(await a.count()).toBe(3)
      const asked = { topK: 2, withVectors: true, filter: { n: { $gt: 0 } } }
      const hits = await c.search([1, 2, 0, 0], asked)
      expect(hits.map(({ id }) => id)).toEqual(['2', '1'])
      expect(hits).toEqual(await a.search([1, 2, 0, 0], asked))
      await c.setMeta('c', { by: 'c' })
      expect(await b.getMeta('c')).toEqual({ by: 'c' })
      expect(await b.delete('c', ['1', 'x'])).toBe(1)
      await b.compact()
      expect((await c.footprint()).rows).toBe(2)
      expect(await codeOf(() => b.upsert('c', [{ id: 'x', vector: [1] }]))).toBe('DIMENSION_MISMATCH')
      expect(await codeOf(() => b.getMeta(1 as never))).toBe('INVALID_ARGUMENT')
      const all = []
      for await (const { id } of c.records('c')) all.push(id)
      expect(all).toEqual(['0', '2'])
      await b.flush()
      await b.close()
      expect(await codeOf(() => b.count())).toBe('CLOSED')
      expect(await c.count()).toBe(2)
    })

    it('go on with the next leader when the leader is closed: each call is answered, each outcome known', async () => {
      const name = fresh()
      const a = await of(name)
      const b = await of(name)
      const c = await of(name)
      const writes = [a, b, c].flatMap((db, t) =>
        Array.from({ length: 20 }, (_, i) => db.upsert('c', rows(2, 100 * t + 2 * i))),
      )
      const closing = a.close()
      const late = Array.from({ length: 20 }, (_, i) => c.upsert('c', rows(2, 1000 + 2 * i)))
      expect((await Promise.allSettled([...writes, ...late])).filter(({ status }) => status === 'rejected')).toEqual([])
      await closing
      expect(await b.count()).toBe(3 * 40 + 40)
      await b.close()
      expect(await c.count()).toBe(160)
    })

    it('continue when the leader is killed: reads and writes are answered', async () => {
      const name = fresh()
      const a = await of(name)
      const b = await of(name)
      const c = await of(name)
      await b.upsert('c', rows(50))
      const reads = Array.from({ length: 30 }, () => b.search([1, 7, 0, 0], { topK: 1 }))
      const writes = Promise.allSettled(Array.from({ length: 30 }, (_, i) => c.upsert('w', rows(2, 2 * i))))
      const before = codeOf(() => a.upsert('w', rows(1, 500)))
      a.kill()
      for (const hits of await Promise.all(reads)) expect(hits[0]!.id).toBe('7')
      const outcomes = await writes
      expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
      expect(await before).toBe('WORKER_FAILED')
      expect(await a.closed).toMatchObject({ reason: 'failed', error: { code: 'WORKER_FAILED' } })
      const there = new Set(
        (
          await b.get(
            'w',
            rows(60).map(({ id }) => id),
          )
        ).flatMap((record) => (record ? [record.id] : [])),
      )
      expect(there.size).toBe(60)
      expect(await c.upsert('w', rows(1, 900))).toBe(1)
      expect((await b.get('w', ['900']))[0]).toBeDefined()
    })

    it('make the next write as usual, each time that the leader is closed or killed', async () => {
      const name = fresh()
      let a = await of(name)
      const b = await of(name)
      for (let n = 0; n < 6; n++) {
        if (n % 2) await a.close()
        else a.kill()
        expect(await b.upsert('c', rows(1, n))).toBe(1)
        expect(await b.delete('c', [`${n}`, 'nobody'])).toBe(1)
        expect(await b.delete('c', [`${n}`])).toBe(0)
        expect([await b.dropCollection('c'), await b.dropCollection('c')]).toEqual([true, false])
        await b.upsert('kept', rows(1, n))
        // In the next round, the tab that leads now is ended.
        a = await of(name)
      }
      expect(await b.count('kept')).toBe(6)
    })

    it('make each write once: a record that another tab deleted in the meantime does not come back', async () => {
      const name = fresh()
      for (let round = 0; round < 6; round++) {
        const a = await of(name)
        const b = await of(name)
        const c = await of(name)
        // When c deletes, either this write is made and its answer was lost, or it is not made yet.
        const write = b.upsert('c', [{ id: `${round}`, vector: [1, 2, 3, 4] }])
        const others = Array.from({ length: 5 * round }, (_, i) =>
          b.upsert('c', [{ id: `${round} ${i}`, vector: [1, 2, 3, 4] }]),
        )
        if (round % 3) await new Promise((resolve) => setTimeout(resolve, round))
        a.kill()
        const deletes = [await c.delete('c', [`${round}`]), await c.delete('c', [`${round}`])]
        expect(await write).toBe(1)
        await Promise.all(others)
        deletes.push(await c.delete('c', [`${round}`]))
        expect(deletes.reduce((sum, count) => sum + count)).toBe(1)
        expect(await b.get('c', [`${round}`])).toEqual([undefined])
        await b.close()
        await c.close()
      }
    })

    it('send large batches and large answers in pieces', async () => {
      const name = fresh()
      const dimension = 1024
      const a = await of(name, { dimension })
      const b = await of(name, { dimension })
      const n = 3000
      const vectors = new Float32Array(n * dimension).map((_, i) => ((i * 2654435761) % 1000) - 500)
      const ids = Array.from({ length: n }, (_, i) => `${i}`)
      const seen: number[] = []
      expect(await b.upsert('c', { ids, vectors }, { onProgress: (done) => seen.push(done) })).toBe(n)
      expect(seen.at(-1)).toBe(n)
      expect(seen.length).toBeGreaterThan(2)
      const [there, here] = await Promise.all([b.get('c', ids), a.get('c', ids)])
      expect(there.length).toBe(n)
      expect(there.every((record, i) => record!.vector.every((x, j) => x === here[i]!.vector[j]))).toBe(true)
    })

    it('refuse with LOCKED an opening that wants the store alone, and all others while it has the store', async () => {
      const name = fresh()
      const a = await of(name)
      expect(await codeOf(() => of(name, { multiTab: false }))).toBe('LOCKED')
      expect(await codeOf(() => Nidus.destroy(name, { storage }))).toBe('LOCKED')
      await a.close()
      const alone = await of(name, { multiTab: false })
      const error = await of(name).catch((error: NidusError) => error)
      expect(error).toMatchObject({ code: 'LOCKED' })
      expect((error as NidusError).message).toContain('multiTab: false')
      await alone.close()
      await (await of(name)).close()
    })

    it('refuse a tab with another dimension, other compatibility or another version of the package', async () => {
      const name = fresh()
      await of(name)
      expect(await codeOf(() => of(name, { dimension: D + 1 }))).toBe('DIMENSION_MISMATCH')
      expect(await codeOf(() => of(name, { compat: '0.3' }))).toBe('INVALID_ARGUMENT')
      const other = fresh()
      const channel = new BroadcastChannel(`nidus-wasm:${other}`)
      const release = await new Promise<() => void>(
        (resolve) =>
          void navigator.locks.request(`nidus-wasm:leader:${other}`, () => new Promise<void>((done) => resolve(done))),
      )
      channel.onmessage = ({ data: { nidus, id } }) => {
        if (nidus === 'join')
          channel.postMessage({ nidus: 'welcome', version: 99, leader: 'x', exclusive: false, to: id })
      }
      const error = await of(other).catch((error: NidusError) => error)
      expect(error).toMatchObject({ code: 'LOCKED' })
      expect((error as NidusError).message).toContain('another version of nidus-wasm')
      channel.onmessage = null
      channel.close()
      release()
      // A tab that sends messages of another version is told the leader's version.
      const db = await of(other)
      const stranger = new BroadcastChannel(`nidus-wasm:${other}`)
      const told = new Promise<object>((resolve) => (stranger.onmessage = ({ data }) => resolve(data as object)))
      stranger.postMessage({ nidus: 'join', version: 99, id: 'stranger', life: 'none' })
      expect(await told).toMatchObject({ nidus: 'welcome', version: 8, to: 'stranger', exclusive: false })
      stranger.close()
      await db.close()
    })

    it('do not wait for ever for a leader that never answers', async () => {
      const name = fresh()
      const release = await new Promise<() => void>(
        (resolve) =>
          void navigator.locks.request(`nidus-wasm:leader:${name}`, () => new Promise<void>((done) => resolve(done))),
      )
      expect(await codeOf(() => of(name))).toBe('LOCKED')
      release()
      await (await of(name)).close()
    })

    it('make durable what a strict tab writes by a relaxed leader, and report what a relaxed tab lost', async () => {
      const name = fresh()
      const a = await of(name, { durability: 'relaxed' })
      const strict = await of(name)
      const relaxed = await of(name, { durability: 'relaxed' })
      await strict.upsert('c', rows(5))
      await relaxed.upsert('c', rows(5, 10))
      a.kill()
      const there = await strict.count('c')
      expect(there === 5 || there === 10).toBe(true)
      // Either answer is right: if all ten rows were flushed before the leader ended, nothing is lost.
      expect(await codeOf(() => relaxed.flush())).toBe(there === 5 ? 'OUTCOME_UNKNOWN' : 'nothing thrown')
      await relaxed.flush()
      await relaxed.upsert('c', rows(1, 90))
      await relaxed.close()
    })

    it('report to a relaxed tab that closes what was lost with the leader, and nothing else', async () => {
      const name = fresh()
      let a = await of(name, { durability: 'relaxed' })
      const b = await of(name, { durability: 'relaxed' })
      const c = await of(name, { durability: 'relaxed' })
      await b.upsert('c', rows(5))
      await b.flush()
      await c.upsert('c', rows(5, 10))
      a.kill()
      const there = await b.count('c')
      expect(await codeOf(() => c.close())).toBe(there === 5 ? 'OUTCOME_UNKNOWN' : 'nothing thrown')
      a = await of(name, { durability: 'relaxed' })
      await a.upsert('c', rows(5, 20))
      // b leads now. It is closed and not killed, so it loses nothing.
      await b.close()
      await a.close()
      expect(await (await of(name)).count('c')).toBe(there + 5)
    })

    it('abort a call if it is not too late', async () => {
      const name = fresh()
      await of(name)
      const b = await of(name)
      expect(await codeOf(() => b.search([1, 0, 0, 0], { signal: AbortSignal.abort() }))).toBe('ABORTED')
      const abort = new AbortController()
      const search = b.search([1, 0, 0, 0], { signal: abort.signal })
      abort.abort(new Error('why'))
      await expect(search).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'why' } })
      const late = new AbortController()
      const write = b.upsert('c', rows(1), { signal: late.signal }).then(
        () => 'written',
        (error: NidusError) => error.code,
      )
      late.abort()
      const outcome = await write
      expect(await b.count('c')).toBe(outcome === 'written' ? 1 : 0)
    })

    it('pass on a store that failed in one tab, where it stays FAILED', async () => {
      const name = fresh()
      const script = breakable(`
        const fail = () => { throw new DOMException('injected', 'InvalidStateError') }
        if (globalThis.FileSystemSyncAccessHandle) {
          const { flush } = FileSystemSyncAccessHandle.prototype
          FileSystemSyncAccessHandle.prototype.flush = function () { return broken ? fail() : flush.call(this) }
        }
        const { transaction } = IDBDatabase.prototype
        IDBDatabase.prototype.transaction = function (...args) {
          if (broken) setTimeout(() => this.dispatchEvent(new Event('close')))
          return transaction.apply(this, args)
        }`)
      let started!: Worker
      const a = await of(name, { worker: () => (started = patchedWorker(script)) })
      const b = await of(name)
      await b.upsert('c', rows(2))
      started.postMessage('break')
      const outcome = await codeOf(() => a.upsert('c', rows(2, 10)))
      expect(['STORAGE_FAILED', 'OUTCOME_UNKNOWN', 'FAILED']).toContain(outcome)
      expect(await a.closed).toMatchObject({ reason: 'failed' })
      expect(await codeOf(() => a.count())).toBe('FAILED')
      const count = await b.count('c')
      expect(count === 2 || count === 4).toBe(true)
      await b.upsert('c', rows(2, 20))
      await a.close()
      const again = await of(name)
      expect(await again.count('c')).toBe(count + 2)
    })
  })
}
