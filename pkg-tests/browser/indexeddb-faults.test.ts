import { describe, expect, it } from 'vitest'
import { codeOf } from '../common/api'
import { extentsOf, fresh, isWhole, metaOf, open, rows, watchedWorker } from './idb-tools'

describe('the host on IndexedDB, with every put counted', () => {
  it('writes hardly more than rows and frames, and only what is new', async () => {
    const name = fresh()
    const dimension = 384,
      count = 20_000
    const watched = watchedWorker()
    const db = await open(name, { dimension, worker: watched.worker })
    const vectors = Float32Array.from({ length: 100 * dimension }, (_, i) => Math.sin(i) + 0.01)
    for (let at = 0; at < count; at += 100)
      await db.upsert('c', { ids: Array.from({ length: 100 }, (_, i) => `id-${at + i}`), vectors })
    const { diskBytes } = await db.footprint()
    const { bytes } = await watched.ask('total')
    expect(bytes).toBeGreaterThanOrEqual(diskBytes)
    expect(bytes / diskBytes).toBeLessThanOrEqual(1.05)
    await db.close()
    const extents = await isWhole(name)
    expect(extents.length).toBeLessThan(260)
    const again = await open(name, { dimension })
    expect(await again.count()).toBe(count)
    await again.close()
  })

  it('keeps few extents however small the commits are, also when the store is reopened', async () => {
    const name = fresh()
    const watched = watchedWorker()
    let bytes = 0
    for (let round = 0; round < 4; round++) {
      const db = await open(name, { worker: watched.worker })
      for (let i = 0; i < 150; i++) await db.upsert('c', rows(1, 150 * round + i))
      bytes += (await watched.ask('total')).bytes
      await db.close()
      await isWhole(name)
    }
    const extents = await isWhole(name)
    expect(extents.length).toBeLessThan(130)
    const { data, log } = await metaOf(name)
    expect(bytes / (data + log)).toBeLessThan(4)
    const db = await open(name)
    expect(await db.count()).toBe(600)
    await db.close()
  })

  it('changes nothing when the browser refuses a commit, and continues', async () => {
    const name = fresh()
    const watched = watchedWorker()
    const db = await open(name, { worker: watched.worker })
    await db.upsert('c', rows(20))
    const before = await extentsOf(name)
    for (const [fault, code] of [
      ['quota', 'QUOTA_EXCEEDED'],
      ['throw', 'QUOTA_EXCEEDED'],
      ['abort', 'STORAGE_FAILED'],
    ] as const) {
      await watched.ask(fault)
      expect(await codeOf(() => db.upsert('c', rows(20, 20)))).toBe(code)
      expect(await db.count()).toBe(20)
      expect(await extentsOf(name)).toEqual(before)
    }
    await db.upsert('c', rows(5, 40))
    await db.close()
    await isWhole(name)
    const again = await open(name)
    expect(await again.count()).toBe(25)
    expect((await again.get('c', ['20', '44'])).map((found) => found?.id)).toEqual([undefined, '44'])
    await again.close()
  })

  it('keeps the old pair and leaves nothing else when the browser refuses a compaction', async () => {
    const name = fresh()
    const watched = watchedWorker()
    const db = await open(name, { worker: watched.worker })
    for (let i = 0; i < 5; i++) await db.upsert('c', rows(20))
    await watched.ask('quota')
    expect(await codeOf(() => db.compact())).toBe('QUOTA_EXCEEDED')
    await isWhole(name)
    expect(await db.footprint()).toMatchObject({ rows: 100, deadRows: 80 })
    await db.upsert('c', rows(1, 20))
    await isWhole(name)
    await db.compact()
    expect(await db.footprint()).toMatchObject({ rows: 21, deadRows: 0 })
    await db.close()
    await isWhole(name)
  })

  it('compacts a store that is larger than its buffer', async () => {
    const name = fresh()
    const dimension = 1024,
      count = 8000
    const db = await open(name, { dimension })
    const vectors = Float32Array.from({ length: count * dimension }, (_, i) => Math.sin(i))
    const ids = Array.from({ length: count }, (_, i) => `${i}`)
    await db.upsert('c', { ids, vectors })
    await db.delete('c', ids.slice(0, 1000))
    await db.compact()
    await db.close()
    await isWhole(name)
    const again = await open(name, { dimension })
    expect(await again.footprint()).toMatchObject({ rows: 7000, deadRows: 0 })
    expect((await again.search(vectors.slice(2000 * dimension, 2001 * dimension), { topK: 1 }))[0]!.id).toBe('2000')
    await again.close()
  })

  it('keeps the old pair and leaves nothing else when the browser refuses a compaction half-way', async () => {
    const name = fresh()
    const dimension = 1024,
      count = 8000
    const watched = watchedWorker()
    const db = await open(name, { dimension, worker: watched.worker })
    const ids = Array.from({ length: count }, (_, i) => `${i}`)
    await db.upsert('c', { ids, vectors: new Float32Array(count * dimension).fill(1) })
    await db.delete('c', ids.slice(0, 10))
    // The database gets 8 MiB of about 31 MiB. So a part of the new pair is already written.
    await watched.ask('quota after 8')
    expect(await codeOf(() => db.compact())).toBe('QUOTA_EXCEEDED')
    await isWhole(name)
    expect(await db.footprint()).toMatchObject({ rows: count, deadRows: 10 })
    await db.compact()
    expect(await db.footprint()).toMatchObject({ rows: count - 10, deadRows: 0 })
    await db.close()
    await isWhole(name)
  })

  it('keeps every acknowledged write when the worker is killed', async () => {
    const name = fresh()
    for (let round = 0; round < 3; round++) {
      const watched = watchedWorker()
      const db = await open(name, { worker: watched.worker })
      expect(await db.count()).toBe(10 * round)
      for (let i = 0; i < 10; i++) await db.upsert('c', rows(1, 10 * round + i))
      watched.kill()
      await db.closed
      await db.close()
    }
  })

  it('reports OUTCOME_UNKNOWN when the database never answers', async () => {
    const name = fresh()
    const watched = watchedWorker()
    const db = await open(name, { worker: watched.worker })
    await db.upsert('c', rows(1))
    await watched.ask('vanish')
    expect(await codeOf(() => db.upsert('c', rows(1, 1)))).toBe('OUTCOME_UNKNOWN')
    expect(await codeOf(() => db.count())).toBe('FAILED')
    await db.close()
    const again = await open(name)
    expect(await again.count()).toBeGreaterThanOrEqual(1)
    await again.close()
  })
})
