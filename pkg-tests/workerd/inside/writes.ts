import { describe, expect, it } from 'vitest'
import { codeOf } from '../../common/api'
import { isWhole, rows, watched } from './tools'
import { use } from './place'
import { open } from './stores'

/** Tests what a write costs, and writes that happen together with other work of the object. */
export function writeTests() {
  describe('durableObject: a write', () => {
    it('is acknowledged only when synced', async () => {
      let release!: () => void
      const watch = watched({ sync: () => new Promise<void>((resolve) => (release = resolve)) }, false)
      const db = await open({}, watch.storage)
      watch.on = true
      let acknowledged = false
      const writing = db.upsert('c', rows(1)).then(() => (acknowledged = true))
      while (!release) await new Promise((resolve) => setTimeout(resolve, 1))
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect([acknowledged, await db.count()]).toEqual([false, 0])
      // Writes that are called meanwhile wait, and become one transaction.
      const before = watch.transactions
      const more = Promise.all(Array.from({ length: 50 }, (_, i) => db.upsert('c', rows(1, i))))
      watch.on = false
      release()
      await writing
      await more
      expect(watch.transactions - before).toBe(1)
      await db.close()
    })

    it('needs few transactions for a thousand upserts at once', async () => {
      const watch = watched()
      const db = await open({}, watch.storage)
      const [transactions, syncs] = [watch.transactions, watch.syncs]
      await Promise.all(Array.from({ length: 1000 }, (_, i) => db.upsert('c', rows(1, i))))
      expect(watch.transactions - transactions).toBeLessThanOrEqual(20)
      expect(watch.syncs - syncs).toBeLessThanOrEqual(20)
      expect(watch.syncs).toBeGreaterThan(0)
      await db.close()
      await isWhole()
    })

    it('writes hardly more than rows and frames, and only new ones', async () => {
      const dimension = 384,
        count = 5000
      const watch = watched()
      const db = await open({ dimension }, watch.storage)
      const vectors = Float32Array.from({ length: 100 * dimension }, (_, i) => Math.sin(i) + 0.01)
      for (let at = 0; at < count; at += 100)
        await db.upsert('c', { ids: Array.from({ length: 100 }, (_, i) => `id-${at + i}`), vectors })
      const { diskBytes } = await db.footprint()
      expect(watch.bytes).toBeGreaterThanOrEqual(diskBytes)
      expect(watch.bytes / diskBytes).toBeLessThanOrEqual(1.05)
      await db.close()
      expect((await isWhole()).length).toBeLessThan(80)
    })

    it('makes few extents however small the commits are, also when the store is reopened', async () => {
      for (let round = 0; round < 4; round++) {
        const db = await open()
        for (let i = 0; i < 150; i++) await db.upsert('c', rows(1, 150 * round + i))
        await db.close()
        await isWhole()
      }
      expect((await isWhole()).length).toBeLessThan(130)
      const db = await open()
      expect(await db.count()).toBe(600)
      await db.close()
    })

    it('is divided if it is larger than a row of the table may be', async () => {
      const dimension = 1024,
        count = 2000
      const db = await open({ dimension })
      await db.upsert('c', {
        ids: Array.from({ length: count }, (_, i) => `${i}`),
        vectors: new Float32Array(count * dimension).fill(1),
        attrs: Array.from({ length: count }, () => ({ text: 'x'.repeat(1500) })),
      })
      await db.close()
      const extents = await isWhole()
      expect(extents.filter(({ length }) => length > 900_000).length).toBeGreaterThan(9)
      const again = await open({ dimension })
      expect(await again.count()).toBe(count)
      await again.close()
    })
  })

  describe('durableObject: together with other work of the object', () => {
    it('can be opened, written and closed while other events are blocked', async () => {
      const before = await open()
      await before.upsert('c', rows(1))
      await use().blockConcurrencyWhile(async () => {
        await before.upsert('c', rows(1, 1))
        await before.close()
        const db = await open()
        await db.upsert('c', rows(1, 2))
        await db.compact()
        await db.close()
      })
      const after = await open()
      expect(await after.count()).toBe(3)
      await after.close()
    })

    it('a transaction of the object that is rolled back around a write makes the store FAILED', async () => {
      const db = await open()
      await db.upsert('c', rows(1))
      const rolledBack = use().storage.transaction(async () => {
        await db.upsert('c', rows(1, 1))
        throw new Error('mine')
      })
      await expect(rolledBack).rejects.toThrow('mine')
      expect(await codeOf(() => db.upsert('c', rows(1, 2)))).toBe('FAILED')
      await db.close()
      const again = await open()
      expect(await again.count()).toBe(1)
      await again.close()
    })

    it('deleteAll makes the store FAILED, and the next opening makes a new store', async () => {
      const db = await open()
      await db.upsert('c', rows(1))
      await use().storage.deleteAll()
      expect(await codeOf(() => db.upsert('c', rows(1, 1)))).toBe('FAILED')
      await db.close()
      const again = await open()
      expect([again.recovery.created, await again.count()]).toEqual([true, 0])
      await again.close()
    })
  })
}
