import type { Hit, Nidus } from '../types/index.js'
import type { Sent, Wanted } from './protocol.js'

// Reads of the one store that a shard has.

/** Returns the records with these ids, and null for those that are not there. */
export async function find(db: Nidus, collection: string, ids: string[]): Promise<(Sent | null)[]> {
  if (!(await db.collections()).includes(collection)) return ids.map(() => null)
  return (await db.get(collection, ids)).map((record) => record ?? null)
}

export async function search(db: Nidus, queries: Float32Array[], { collections, ...wanted }: Wanted): Promise<Hit[][]> {
  // A shard need not have every collection.
  const there = await db.collections()
  const asked = collections === undefined ? undefined : collections.filter((name) => there.includes(name))
  if (asked?.length === 0) return queries.map(() => [])
  return db.searchMany(queries, { ...wanted, ...(asked && { collections: asked }) })
}
