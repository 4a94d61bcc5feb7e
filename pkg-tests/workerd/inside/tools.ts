import type { DurableStorage } from 'nidus-wasm/durable-object'
import { expect } from 'vitest'
import { use } from './place'

const ROOM = 2 ** 50

export const sql = (query: string, ...bindings: unknown[]) => [...use().storage.sql.exec(query, ...bindings)]
export const rowOf = async () =>
  sql('SELECT generation, data, log, cuts FROM nidus_stores')[0] as {
    generation: number
    data: number
    log: number
    cuts: number
  }
export const rows = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({ id: `${from + i}`, vector: [1, from + i, 0, 0] }))

type SqlRow = Record<string, unknown>
const TABLES = ['nidus_stores', 'nidus_extents_1']
/** Returns all rows of the tables of the object's one store. `putTables` puts them back. */
export const tables = () => TABLES.map((table) => sql(`SELECT * FROM ${table}`) as SqlRow[])
export function putTables(all: SqlRow[][]) {
  for (const [n, table] of TABLES.entries()) {
    sql(`DELETE FROM ${table}`)
    for (const row of all[n]!)
      sql(
        `INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${Object.keys(row)
          .map(() => '?')
          .join()})`,
        ...Object.values(row),
      )
  }
}

/**
 * Checks that the extents of the object's one store follow each other without a gap, up to the length in the row, and
 * that there are no others.
 */
export async function isWhole() {
  const row = await rowOf()
  const extents = (
    sql('SELECT id, length(bytes) AS length FROM nidus_extents_1 ORDER BY id') as { id: number; length: number }[]
  ).map(({ id, length }) => ({
    id,
    length,
    file: Math.floor(id / ROOM) % 2 === 0 ? 'data' : 'log',
    parity: Math.floor(id / ROOM / 2),
    at: id % ROOM,
  }))
  for (const file of ['data', 'log'] as const) {
    let end = 0
    for (const { parity, at, length } of extents.filter((extent) => extent.file === file)) {
      expect({ parity, at }).toEqual({ parity: row.generation % 2, at: end })
      expect(length).toBeLessThanOrEqual(1024 * 1024)
      end += length
    }
    expect(end).toBe(row[file])
  }
  return extents
}

interface Faults {
  exec?: (query: string) => void
  sync?: () => Promise<void>
  transaction?: () => void
}

/** Returns the object's storage with faults. It counts calls, and makes them fail while `on` is true. */
export function watched(faults: Faults = {}, on = true) {
  const { storage } = use()
  let inTransaction = 0
  const watch = {
    on,
    transactions: 0,
    syncs: 0,
    bytes: 0,
    inserts: 0,
    most: 0,
    storage: undefined as unknown as DurableStorage,
  }
  watch.storage = {
    sql: {
      exec(query, ...bindings) {
        if (watch.on) faults.exec?.(query)
        for (const value of bindings) {
          if (!(value instanceof Uint8Array)) continue
          watch.bytes += value.length
          watch.inserts++
          inTransaction += value.length
          watch.most = Math.max(watch.most, inTransaction)
        }
        return storage.sql.exec(query, ...bindings)
      },
    },
    transactionSync(work) {
      watch.transactions++
      inTransaction = 0
      const done = storage.transactionSync(work)
      if (watch.on) faults.transaction?.()
      return done
    },
    async sync() {
      watch.syncs++
      if (watch.on && faults.sync) return faults.sync()
      return storage.sync()
    },
  }
  return watch
}
