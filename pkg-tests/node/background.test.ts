import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Nidus, NidusError } from 'nidus-wasm'
import { GivenUp, AutoCompaction } from '../../src/ts/engine/auto-compaction'
import { arraysHost } from '../common/arrays'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { until } from '../common/until'

const root = temporaryFolder('background')
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a loop of searches right after an insert', () => {
  const D = 384
  const N = 30_000
  const { next } = random(5)
  const vectors = Float32Array.from({ length: N * D }, () => next() - 0.5)
  const query = () => Float32Array.from({ length: D }, () => next() - 0.5)

  it.each([
    ['memory', {}],
    ['fs', {}],
    ['fs', { memory: 'compact' }],
    ['memory', { workers: 2 }],
  ] as const)('has all rows coded within 200 searches, and timers fire (%s, %o)', async (storage, options) => {
    const db = await Nidus.open(join(root, `loop ${JSON.stringify(options)}`), { storage, dimension: D, ...options })
    await db.upsert('c', { ids: Array.from({ length: N }, (_, i) => `${i}`), vectors })
    let fired = 0
    const timer = setInterval(() => fired++, 1)
    for (let i = 0; i < 200; i++) await db.search(query())
    clearInterval(timer)
    // Codes are not made for the last few rows.
    expect((await db.footprint()).codedRows).toBeGreaterThan(N - 4096)
    expect(fired).toBeGreaterThan(3)
    await db.close()
  })

  it('lets the timer of a relaxed flush fire, although nothing else in the loop waits for it', async () => {
    const host = arraysHost()
    const db = await Nidus.open('x', { storage: host, dimension: 4, durability: 'relaxed' })
    await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
    expect(host.files!.log.bytes.length).toBe(0)
    while (host.files!.log.bytes.length === 0) await db.count()
    await db.close()
  })

  it('answers every search of many made at once, also of those just before close', async () => {
    const db = await Nidus.open('x', { storage: 'memory', dimension: D })
    await db.upsert('c', { ids: Array.from({ length: 5000 }, (_, i) => `${i}`), vectors: vectors.slice(0, 5000 * D) })
    const all = Promise.all(Array.from({ length: 500 }, () => db.search(query(), { topK: 3 })))
    const closed = db.close()
    expect((await all).every((hits) => hits.length === 3)).toBe(true)
    await closed
  })
})

describe('dead rows of an open store', () => {
  const D = 8
  const rewrite = async (db: Nidus, times: number, rows = 1000) => {
    const ids = Array.from({ length: rows }, (_, i) => `${i}`)
    for (let time = 0; time < times; time++)
      await db.upsert('c', { ids, vectors: Float32Array.from({ length: rows * D }, (_, i) => Math.sin(i + time)) })
  }
  const compacted = async (db: Nidus) => {
    await until('a compaction in the background', async () => (await db.footprint()).deadRows === 0)
  }

  it.each(['fs', 'memory', 'own'] as const)('are removed when nobody writes any more (%s)', async (kind) => {
    const own = arraysHost()
    const db = await Nidus.open(join(root, `dead ${kind}`), { storage: kind === 'own' ? own : kind, dimension: D })
    await rewrite(db, 60)
    await compacted(db)
    expect(await db.footprint()).toMatchObject({ rows: 1000, docCount: 1000 })
    expect(
      await db.search(
        Array.from({ length: D }, (_, i) => Math.sin(i + 59)),
        { topK: 1 },
      ),
    ).toMatchObject([{ id: '0' }])
    await rewrite(db, 1)
    expect((await db.footprint()).deadRows).toBe(1000)
    await db.close()
  })

  it('stay with autoCompact: false, after an import, and when opening found damage', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const waits = () => timers.mock.calls.filter(([, ms]) => ms === 500).length
    const host = arraysHost()
    let db = await Nidus.open('x', { storage: host, dimension: D, autoCompact: false })
    await rewrite(db, 12)
    expect(waits()).toBe(0)
    const tar = new Uint8Array(await new Response(db.export()).arrayBuffer())
    await db.close()
    const into = await Nidus.import('y', tar, { storage: arraysHost(), dimension: D })
    await rewrite(into, 1)
    expect(waits()).toBe(0)
    await into.close()
    host.files!.log.bytes.push(1, 2, 3)
    db = await Nidus.open('x', { storage: host, dimension: D, autoCompact: 0.99 })
    expect(db.recovery.bytes).toBe(3)
    await rewrite(db, 200, 50)
    expect(waits()).toBe(0)
    await db.close()
    db = await Nidus.open('x', { storage: host, dimension: D, autoCompact: 0.9 })
    await rewrite(db, 12)
    expect(waits()).toBe(1)
    await db.close()
  })

  it('stay when their removal fails: `recovery` reports it, and the store continues', async () => {
    const host = arraysHost()
    const create = host.create
    host.create = async () => {
      throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    }
    const db = await Nidus.open('x', { storage: host, dimension: D })
    await rewrite(db, 12)
    await until('the error of a compaction', () => db.recovery.compactionError)
    expect(db.recovery.compactionError).toMatchObject({ code: 'QUOTA_EXCEEDED' })
    expect(await db.count()).toBe(1000)
    host.create = create
    await rewrite(db, 12)
    await compacted(db)
    await db.close()
  })

  it('do not delay a write: the compaction stops for it', async () => {
    const host = arraysHost()
    const state: { write?: Promise<number> } = {}
    const drain = async () => {
      state.write ??= db.upsert('c', [{ id: 'new', vector: new Float32Array(32).fill(1) }])
      // A write may not wait as long as this.
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    const created = vi.spyOn(host, 'create')
    const db = await Nidus.open('x', { storage: Object.assign(host, { drain }), dimension: 32 })
    const ids = Array.from({ length: 40_000 }, (_, i) => `${i}`)
    const vectors = Float32Array.from({ length: ids.length * 32 }, (_, i) => Math.sin(i))
    for (let time = 0; time < 3; time++) await db.upsert('c', { ids, vectors })
    await until('the write during a compaction', () => state.write)
    await state.write
    expect(created).toHaveBeenCalledTimes(1)
    expect((await db.footprint()).deadRows).toBe(80_000)
    expect(await db.get('c', ['new', '1'])).toMatchObject([{ id: 'new' }, { id: '1' }])
    await db.compact()
    expect(await db.footprint()).toMatchObject({ rows: 40_001, deadRows: 0 })
    await db.close()
  })
})

describe('the policy of automatic compaction', () => {
  const made = (over: object = {}) => {
    const state = {
      ratio: 0.9,
      dead: 10_000,
      waited: 0,
      exporting: false,
      ended: false,
      runs: 0,
      told: [] as NidusError[],
      outcome: async (_giveWay: () => boolean): Promise<unknown> => true,
      ...over,
    }
    const tidy = new AutoCompaction(0.5, {
      deadRatio: () => state.ratio,
      footprint: () => ({ rows: state.dead / state.ratio, dimension: 4 }) as never,
      waited: () => state.waited,
      exporting: () => state.exporting,
      ended: () => state.ended,
      compact: async (giveWay) => (state.runs++, state.outcome(giveWay)),
      failed: (error) => void state.told.push(error),
    })
    return { state, tidy }
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  it('waits for half a second without a write, and for exports', async () => {
    vi.useFakeTimers()
    const { state, tidy } = made()
    for (let i = 0; i < 20; i++) {
      tidy.wrote()
      await pass(100)
    }
    expect(state.runs).toBe(0)
    state.exporting = true
    await pass(5000)
    expect(state.runs).toBe(0)
    state.exporting = false
    await pass(500)
    expect(state.runs).toBe(1)
    await pass(100_000)
    expect(state.runs).toBe(1)
  })

  it('ignores few dead rows, a small share of dead rows, and a closed store', async () => {
    vi.useFakeTimers()
    for (const over of [{ dead: 8191 }, { ratio: 0.5 }, { ended: true }]) {
      const { state, tidy } = made(over)
      tidy.wrote()
      await pass(10_000)
      expect(state.runs).toBe(0)
    }
    const { state, tidy } = made()
    tidy.wrote()
    tidy.end()
    await pass(10_000)
    expect(state.runs).toBe(0)
  })

  it('stops for a write that has waited a quarter of a second, and waits longer before each new try', async () => {
    vi.useFakeTimers()
    const { state, tidy } = made()
    state.outcome = async (giveWay) => {
      expect([((state.waited = 250), giveWay()), ((state.waited = 251), giveWay())]).toEqual([false, true])
      throw new GivenUp()
    }
    tidy.wrote()
    const runs = []
    for (const ms of [600, 9_000, 1_100, 19_000, 1_100, 41_000]) runs.push((await pass(ms), state.runs))
    expect(runs).toEqual([1, 1, 2, 2, 3, 4])
    expect(state.told).toEqual([])
  })

  it('waits after a failure until there is twice as much to gain', async () => {
    vi.useFakeTimers()
    const { state, tidy } = made()
    state.outcome = async () => {
      throw new NidusError('QUOTA_EXCEEDED', 'full')
    }
    tidy.wrote()
    await pass(600)
    expect(state.told).toMatchObject([{ code: 'QUOTA_EXCEEDED' }])
    for (const [dead, runs] of [
      [19_999, 1],
      [20_000, 2],
    ] as const) {
      state.dead = dead
      tidy.wrote()
      await pass(600)
      expect(state.runs).toBe(runs)
    }
  })
})
