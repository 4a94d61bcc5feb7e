import { Nidus, type NidusError } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../common/api'
import { isWhole, rows, rowOf, sql, watched } from './tools'
import { use } from './place'
import { D, open } from './stores'

/** Tests transactions and syncs that fail, and tables that are damaged. */
export function faultTests() {
  describe('durableObject: faults', () => {
    it('a transaction that throws half-way leaves nothing, and the store continues', async () => {
      let fault: { at: number; error: Error } | undefined
      const watch = watched({
        exec: (query) => {
          if (fault && query.startsWith('INSERT') && --fault.at === 0) throw fault.error
        },
      })
      const db = await open({}, watch.storage)
      await db.upsert('c', rows(20))
      const before = JSON.stringify([await rowOf(), await isWhole()])
      const cases: [number, Error, string][] = [
        [1, new Error('a fault'), 'STORAGE_FAILED'],
        [2, new Error('a fault'), 'STORAGE_FAILED'],
        [2, new Error('database or disk is full: SQLITE_FULL'), 'QUOTA_EXCEEDED'],
      ]
      for (const [at, error, code] of cases) {
        fault = { at, error }
        const failed: NidusError = await db.upsert('c', rows(20, 20)).then(
          () => Promise.reject(new Error('it was acknowledged')),
          (error) => error,
        )
        expect([failed.code, fault.at]).toEqual([code, 0])
        expect(JSON.stringify([await rowOf(), await isWhole()])).toBe(before)
        expect(await db.count()).toBe(20)
      }
      fault = undefined
      await db.upsert('c', rows(5, 40))
      await db.close()
      await isWhole()
      const again = await open()
      expect((await again.get('c', ['0', '20', '44'])).map((found) => found?.id)).toEqual(['0', undefined, '44'])
      await again.close()
    })

    it('a sync that fails leads to OUTCOME_UNKNOWN, and the store is FAILED until it is opened again', async () => {
      const watch = watched({ sync: () => Promise.reject(new Error('the disk is gone')) }, false)
      const db = await open({}, watch.storage)
      await db.upsert('c', rows(1))
      watch.on = true
      const failed: NidusError = await db.upsert('c', rows(3, 1)).then(
        () => Promise.reject(new Error('it was acknowledged')),
        (error) => error,
      )
      expect([failed.code, (failed.cause as Error).message]).toEqual(['OUTCOME_UNKNOWN', 'the disk is gone'])
      watch.on = false
      for (const call of [() => db.upsert('c', rows(1, 9)), () => db.count(), () => db.compact()])
        expect(await codeOf(call)).toBe('FAILED')
      expect(await db.closed).toMatchObject({ reason: 'failed' })
      await db.close()
      const again = await open({}, watch.storage)
      expect([1, 4]).toContain(await again.count())
      await again.upsert('c', rows(1, 9))
      await again.close()
    })

    it('a transaction that cannot be rolled back leads to the same', async () => {
      const watch = watched(
        {
          transaction: () => {
            throw new Error('no such savepoint')
          },
        },
        false,
      )
      const db = await open({}, watch.storage)
      watch.on = true
      expect(await codeOf(() => db.upsert('c', rows(1)))).toBe('OUTCOME_UNKNOWN')
      expect(await codeOf(() => db.count())).toBe('FAILED')
      await db.close()
    })

    it('missing tables make the store FAILED', async () => {
      const storage = durableObject(use().storage)
      for (const query of [
        'DROP TABLE nidus_stores',
        'DELETE FROM nidus_stores',
        'UPDATE nidus_stores SET log = log - 1',
      ]) {
        const db = await open({ storage })
        await db.upsert('c', rows(1))
        sql(query)
        expect(await codeOf(() => db.upsert('c', rows(1, 1))), query).toBe('FAILED')
        await db.close()
        if (!query.startsWith('UPDATE')) {
          // Some tables are left. Then `open` must not behave as if there were no store.
          expect(await codeOf(() => open()), query).toBe('CORRUPT')
          sql('DROP TABLE nidus_extents_1')
        }
        await Nidus.destroy('x', { storage })
      }
    })

    for (const query of [
      'CREATE TABLE nidus_stores (title TEXT, place TEXT)',
      'CREATE TABLE Nidus_Stores (store INTEGER, name TEXT)',
      'CREATE VIEW nidus_stores AS SELECT 1 AS store',
      'CREATE INDEX nidus_stores ON own (title)',
    ])
      it(
        `a name of ours that another program uses (${query}) is refused by its name, and nothing ` + 'is changed',
        async () => {
          sql('CREATE TABLE own (title TEXT)')
          sql(query)
          if (query.includes('title TEXT, place')) sql(`INSERT INTO nidus_stores VALUES ('a', 'b')`)
          const all = () =>
            JSON.stringify([
              sql('SELECT * FROM sqlite_master'),
              query.startsWith('CREATE INDEX') ? 0 : sql('SELECT * FROM nidus_stores'),
            ])
          const before = all()
          const storage = durableObject(use().storage)
          for (const call of [
            () => open(),
            () => open({ readOnly: true }),
            () => Nidus.destroy('x', { storage }),
            () => Nidus.salvage('x', 'y', { storage, into: storage }),
          ]) {
            const error = (await call().then(
              () => undefined,
              (error: unknown) => error,
            )) as NidusError | undefined
            expect([
              error?.code,
              /nidus_stores of this object is another program's/i.test(error?.message ?? ''),
            ]).toEqual(['CORRUPT', true])
            expect(all()).toBe(before)
          }
          sql(
            query.startsWith('CREATE INDEX')
              ? 'DROP INDEX nidus_stores'
              : query.startsWith('CREATE VIEW')
                ? 'DROP VIEW nidus_stores'
                : 'DROP TABLE nidus_stores',
          )
          sql('DROP TABLE own')
          await (await open()).close()
        },
      )

    it("a table of another program in place of a store's extents is refused by its name, and not changed", async () => {
      const storage = durableObject(use().storage)
      const db = await open()
      await db.upsert('c', rows(2))
      await db.close()
      sql('DROP TABLE nidus_extents_1')
      sql('CREATE TABLE nidus_extents_1 (title TEXT)')
      sql(`INSERT INTO nidus_extents_1 VALUES ('my own')`)
      const before = JSON.stringify([await rowOf(), sql('SELECT * FROM nidus_extents_1')])
      for (const call of [() => open(), () => open({ readOnly: true }), () => Nidus.destroy('x', { storage })]) {
        expect(await codeOf(call)).toBe('CORRUPT')
        expect(JSON.stringify([await rowOf(), sql('SELECT * FROM nidus_extents_1')])).toBe(before)
      }
    })

    it('a missing extent is CORRUPT, and nothing is changed', async () => {
      const db = await open()
      for (let i = 0; i < 5; i++) await db.upsert('c', rows(1, i))
      await db.close()
      const extents = await isWhole()
      for (const { id } of extents) {
        const [{ bytes }] = sql('SELECT bytes FROM nidus_extents_1 WHERE id = ?', id) as [{ bytes: ArrayBuffer }]
        for (const damage of [
          'DELETE FROM nidus_extents_1 WHERE id = ?',
          'UPDATE nidus_extents_1 SET bytes = substr(bytes, 2) WHERE id = ?',
        ]) {
          sql(damage, id)
          expect(await codeOf(() => open()), damage).toBe('CORRUPT')
          expect(await codeOf(() => open({ readOnly: true })), damage).toBe('CORRUPT')
          sql('INSERT OR REPLACE INTO nidus_extents_1 VALUES (?, ?)', id, bytes)
        }
      }
      expect(await isWhole()).toEqual(extents)
      sql('UPDATE nidus_stores SET version = 2')
      expect(await codeOf(() => open())).toBe('UNSUPPORTED_VERSION')
      sql('UPDATE nidus_stores SET version = 1')
      const again = await open()
      expect(await again.count()).toBe(5)
      await again.close()
    })

    it('a half-written end is cut, also in the middle of an extent', async () => {
      const db = await open()
      await db.upsert('c', rows(20))
      await db.close()
      const [{ id, length } = { id: 0, length: 0 }] = (await isWhole()).filter(({ file }) => file === 'log').slice(-1)
      sql('UPDATE nidus_extents_1 SET bytes = substr(bytes, 1, ?) WHERE id = ?', length - 3, id)
      sql('UPDATE nidus_stores SET log = log - 3')
      const reader = await open({ readOnly: true })
      expect([await reader.count(), reader.recovery.frames]).toEqual([19, 1])
      await reader.close()
      const again = await open()
      expect([await again.count(), again.recovery.frames]).toEqual([19, 1])
      await isWhole()
      expect((await rowOf()).cuts).toBe(1)
      await again.upsert('c', rows(1, 19))
      await again.close()
      await isWhole()
      const last = await open()
      expect([await last.count(), last.recovery.bytes]).toEqual([20, 0])
      await last.close()
    })

    it('refuses an object that is no storage, and has no default', async () => {
      for (const storage of [undefined, null, 7, {}, { sql: {} }])
        expect(await codeOf(() => durableObject(storage as never))).toBe('INVALID_ARGUMENT')
      for (const options of [7, { name: '' }, { name: 7 }])
        expect(await codeOf(() => durableObject(use().storage, options as never))).toBe('INVALID_ARGUMENT')
      for (const storage of [undefined, 'opfs', 'indexeddb', 'fs'] as const) {
        const failed: NidusError = await Nidus.open('x', { dimension: D, storage }).then(
          () => Promise.reject(new Error('it opened')),
          (error) => error,
        )
        expect(failed.code).toBe('STORAGE_UNAVAILABLE')
        expect(failed.message).toContain('durableObject(ctx.storage)')
      }
      expect(await codeOf(() => Nidus.list())).toBe('STORAGE_UNAVAILABLE')
      expect(await codeOf(() => Nidus.destroy('x'))).toBe('STORAGE_UNAVAILABLE')
    })

    it('destroy removes a store without a trace', async () => {
      const storage = durableObject(use().storage)
      await Nidus.destroy('x', { storage })
      const db = await open()
      await db.upsert('c', rows(1))
      await db.close()
      await Nidus.destroy('x', { storage })
      expect(sql(`SELECT name FROM sqlite_master WHERE name LIKE 'nidus%'`)).toEqual([])
      expect(await codeOf(() => open({ readOnly: true }))).toBe('NOT_FOUND')
    })
  })
}
