import { Nidus, type NidusError, type OpenOptions } from 'nidus-wasm'
import { durableObject, type DurableStorage } from 'nidus-wasm/durable-object'
import { Segment, init } from 'nidus-wasm/segment'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../common/api'
import { isWhole, putTables, rows, rowOf, sql, tables, watched } from './tools'
import { use } from './place'

const D = 4
const open = (options: OpenOptions = {}, storage: DurableStorage = use().storage) =>
  Nidus.open('x', { dimension: D, storage: durableObject(storage), ...options })

/** The object's store as an earlier version left it. That version asked for no name. */
const asBefore = () => sql(`UPDATE nidus_stores SET name = 'default'`)
const named = (name: string, options: OpenOptions = {}) =>
  Nidus.open(name, { dimension: D, storage: durableObject(use().storage), ...options })

export function hostSuite() {
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
      // Two names at the same time mean one store here, and the error says why.
      const one = await named('one')
      const error = (await named('two').catch((error: NidusError) => error)) as NidusError
      expect(error.code).toBe('LOCKED')
      expect(error.message).toMatch(
        /"default" of this object, which an earlier version made and which goes by any name.*\{ name \}/,
      )
      // A store that is made by its name beside the old one is found by that name from then on.
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

    it('an opening through another `storage` object takes over, and the first one is FAILED before it can write', async () => {
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
      // The reader reads 12 MB in at least three pieces. Between two of them all rows that it reads are removed at
      // once, as a compaction's last transaction does it.
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
      // Writes that come in the meantime wait, and are one transaction.
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
          // The tables that are left must not be mistaken for no store at all.
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

  it('the segment works in workerd, too', async () => {
    await init()
    const segment = Segment.inMemory(3)
    segment.append(new Float32Array([1, 0, 0, 0, 1, 0]))
    expect(segment.search(new Float32Array([0, 1, 0]), { topK: 1 })[0]).toEqual({ row: 1, score: 1 })
    segment.close()
  })
}
