import { describe, expect, it } from 'vitest'
import type { DurableStorage } from 'nidus-wasm/durable-object'
import { codeOf } from '../../common/api'
import { isWhole, rows, rowOf, sql, watched } from './tools'
import { open } from './stores'

/** Tests compaction, including one that fails or is interrupted. */
export function compactionTests() {
  describe('durableObject: compaction', () => {
    const dimension = 1024,
      count = 8000
    const ids = Array.from({ length: count }, (_, i) => `${i}`)
    const filled = async (storage: DurableStorage) => {
      const db = await open({ dimension }, storage)
      await db.upsert('c', { ids, vectors: Float32Array.from({ length: count * dimension }, (_, i) => Math.sin(i)) })
      await db.delete('c', ids.slice(0, 1000))
      return db
    }

    it('writes rows that are larger than its buffer piece by piece', async () => {
      const watch = watched()
      const db = await filled(watch.storage)
      const { transactions } = watch
      watch.most = 0
      await db.compact()
      expect(watch.transactions - transactions).toBeGreaterThan(3)
      expect(watch.most).toBeLessThan(17 * 1024 * 1024)
      await isWhole()
      expect((await rowOf()).generation).toBe(1)
      await db.upsert('c', [{ id: 'more', vector: new Float32Array(dimension).fill(1) }])
      await db.close()
      await isWhole()
      const again = await open({ dimension })
      expect(await again.footprint()).toMatchObject({ rows: 7001, deadRows: 0 })
      expect(
        (
          await again.search(
            Float32Array.from({ length: dimension }, (_, i) => Math.sin(2000 * dimension + i)),
            { topK: 1 },
          )
        )[0]!.id,
      ).toBe('2000')
      await again.close()
    })

    it('that is refused at any point leaves the old pair, and nothing else', async () => {
      let left = Infinity
      const watch = watched({
        exec: (query) => {
          if (query.startsWith('INSERT') && --left < 0) throw new Error('database or disk is full: SQLITE_FULL')
        },
      })
      const db = await filled(watch.storage)
      for (left of [0, 10, 27]) {
        expect(await codeOf(() => db.compact())).toBe('QUOTA_EXCEEDED')
        left = Infinity
        await isWhole()
        expect(await db.footprint()).toMatchObject({ rows: count, deadRows: 1000 })
      }
      await db.compact()
      expect(await db.footprint()).toMatchObject({ rows: count - 1000, deadRows: 0 })
      await db.close()
      await isWhole()
    })

    it('that is interrupted leaves only what the next commit or opening removes', async () => {
      let left = 0
      const watch = watched(
        {
          exec: (query) => {
            if (query.startsWith('DELETE') || (query.startsWith('INSERT') && --left < 0)) throw new Error('a fault')
          },
        },
        false,
      )
      const db = await filled(watch.storage)
      const cut = async () => {
        left = 12
        watch.on = true
        expect(await codeOf(() => db.compact())).toBe('STORAGE_FAILED')
        watch.on = false
        expect(sql('SELECT count(*) AS n FROM nidus_extents_1 WHERE id >= ?', 2 * 2 ** 50)[0]!['n']).toBeGreaterThan(0)
      }
      await cut()
      await db.upsert('c', [{ id: 'more', vector: new Float32Array(dimension).fill(1) }])
      await isWhole()
      await cut()
      await db.close()
      const again = await open({ dimension })
      await isWhole()
      expect(await again.footprint()).toMatchObject({ rows: count + 1, deadRows: 1000 })
      await again.close()
    })

    it('whose promotion is not confirmed makes the store FAILED', async () => {
      const watch = watched({ sync: () => Promise.reject(new Error('the disk is gone')) }, false)
      const db = await open({}, watch.storage)
      for (let i = 0; i < 5; i++) await db.upsert('c', rows(20))
      watch.on = true
      expect(await codeOf(() => db.compact())).toBe('OUTCOME_UNKNOWN')
      expect(await codeOf(() => db.count())).toBe('FAILED')
      watch.on = false
      await db.close()
      const again = await open({}, watch.storage)
      expect(await again.count()).toBe(20)
      await again.close()
      await isWhole()
    })
  })
}
