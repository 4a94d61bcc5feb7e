import { Nidus, type NidusError } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../common/api'
import { putTables, rows, rowOf, sql, tables, watched } from './tools'
import { use } from './place'
import { asBefore, named, open } from './stores'

/** Tests the names of stores, and several openings at the same time. */
export function nameTests() {
  describe('durableObject: names', () => {
    it('a store has the name that open gets, and another name is another store', async () => {
      const all = await Promise.all(['a', 'b', 'default', 'A'].map((name) => named(name)))
      for (const [i, db] of all.entries()) await db.upsert('c', rows(i + 1))
      expect(await codeOf(() => named('b'))).toBe('LOCKED')
      expect(await codeOf(() => named('none', { readOnly: true }))).toBe('NOT_FOUND')
      for (const db of all) await db.close()
      await Nidus.destroy('b', { storage: durableObject(use().storage) })
      expect(sql('SELECT name FROM nidus_stores ORDER BY name').map(({ name }) => name)).toEqual(['A', 'a', 'default'])
      for (const [name, count] of [
        ['a', 1],
        ['b', 0],
        ['default', 3],
        ['A', 4],
        ['new', 0],
      ] as const) {
        const db = await named(name)
        expect([name, await db.count()]).toEqual([name, count])
        await db.close()
      }
    })

    it('the name that durableObject gets counts more than the one that open gets', async () => {
      for (const label of ['one', 'two']) {
        const db = await named(label, { storage: durableObject(use().storage, { name: 'given' }) })
        await db.upsert('c', [{ id: label, vector: [1, 0, 0, 0] }])
        await db.close()
      }
      const db = await named('given')
      expect(await db.count()).toBe(2)
      await db.close()
    })

    it('a store of an earlier version is found by any name, and keeps no name', async () => {
      const first = await named('old')
      await first.upsert('c', rows(3))
      await first.close()
      asBefore()
      for (const name of ['old', 'renamed', 'default']) {
        for (const readOnly of [false, true]) {
          const db = await named(name, { readOnly })
          expect([name, await db.count()]).toEqual([name, 3])
          await db.close()
        }
      }
      expect(sql('SELECT name FROM nidus_stores')).toEqual([{ name: 'default' }])
      // Here two names mean the same store, and the error says why.
      const one = await named('one')
      const error = (await named('two').catch((error: NidusError) => error)) as NidusError
      expect(error.code).toBe('LOCKED')
      expect(error.message).toMatch(
        /"default" of this object, which an earlier version made and which goes by any name.*\{ name \}/,
      )
      // A second store is made under a name of its own. From then on, that name finds it.
      const two = await named('x', { storage: durableObject(use().storage, { name: 'two' }) })
      await two.upsert('c', rows(1))
      await two.close()
      const again = await named('two')
      expect(await again.count()).toBe(1)
      for (const db of [one, again]) await db.close()
      await Nidus.destroy('any', { storage: durableObject(use().storage) })
      expect(sql('SELECT name FROM nidus_stores')).toEqual([{ name: 'two' }])
    })

    it('imports and salvages use the name, too', async () => {
      const db = await named('from')
      await db.upsert('c', rows(2))
      const tar = await new Response(db.export()).blob()
      await db.close()
      const storage = () => durableObject(use().storage)
      const copy = await Nidus.import('copy', tar, { storage: storage() })
      expect(await copy.count()).toBe(2)
      await copy.close()
      await Nidus.salvage('from', 'saved', { storage: storage(), into: storage() })
      const saved = await named('saved')
      expect(await saved.count()).toBe(2)
      await saved.close()
      expect(sql('SELECT name FROM nidus_stores ORDER BY name').map(({ name }) => name)).toEqual([
        'copy',
        'from',
        'saved',
      ])
    })
  })

  describe('durableObject: one at a time', () => {
    it('a second opening is LOCKED, a store with another name is not', async () => {
      const db = await open()
      expect(db.storage).toBe('durable-object')
      await db.upsert('c', rows(1))
      expect(await codeOf(() => open())).toBe('LOCKED')
      expect(await codeOf(() => Nidus.destroy('x', { storage: durableObject(use().storage) }))).toBe('LOCKED')
      const others = await Promise.all(
        ['b', 'B', 'DEFAULT', `'";-- ü`].map((name) => open({ storage: durableObject(use().storage, { name }) })),
      )
      for (const [i, other] of others.entries()) {
        expect(await other.count()).toBe(0)
        await other.upsert('c', rows(i + 2))
      }
      expect(await db.count()).toBe(1)
      for (const each of [db, ...others]) await each.close()
      const again = await open({ storage: durableObject(use().storage, { name: 'B' }) })
      expect(await again.count()).toBe(3)
      await again.close()
    })

    it('an opening by another `storage` object takes over, and the first is FAILED before it can write', async () => {
      const first = await open()
      await first.upsert('c', rows(1))
      const second = await open({}, watched().storage)
      expect(await codeOf(() => first.upsert('c', rows(1, 1)))).toBe('FAILED')
      expect(await first.closed).toMatchObject({ reason: 'failed' })
      await second.upsert('c', rows(1, 2))
      await first.close()
      await second.close()
      const again = await open()
      expect((await again.get('c', ['0', '1', '2'])).map((found) => found?.id)).toEqual(['0', undefined, '2'])
      await again.close()
    })

    it('a read-only opening sees one state, also while a writer replaces it', async () => {
      const dimension = 1024,
        count = 3000
      const db = await open({ dimension })
      await db.upsert('c', {
        ids: Array.from({ length: count }, (_, i) => `${i}`),
        vectors: Float32Array.from({ length: count * dimension }, (_, i) => Math.sin(i)),
      })
      await db.delete('c', ['0', '1'])
      const before = tables()
      await db.compact()
      await db.close()
      const after = tables()
      putTables(before)
      // The reader reads 12 MB in at least three pieces. Between two of them, all rows that it reads are removed at
      // once, as by the last transaction of a compaction.
      let reads = 0
      const { storage } = watched({
        exec: (query) => {
          if (query.includes('ORDER BY id') && ++reads === 2) putTables(after)
        },
      })
      const reader = await open({ dimension, readOnly: true }, storage)
      expect(reads).toBeGreaterThan(4)
      expect(await reader.count()).toBe(count - 2)
      expect((await reader.get('c', ['1', '2', '2999'])).map((found) => found?.id)).toEqual([undefined, '2', '2999'])
      await reader.close()
      expect((await rowOf()).generation).toBe(1)
    })
  })
}
