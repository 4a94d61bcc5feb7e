import type { Hit, Nidus } from '../types/index.js'
import { BACKEND, type Opened } from '../api/reads.js'
import type { OwnStatistics, QueryArgs } from '../contract/query.js'
import { hitsOf } from '../question/index.js'
import type { Found, Sent, Wanted } from './protocol.js'

// Reads of the one store that a shard has.

/** Returns the records with these ids, and null for those that are not there. */
export async function find(db: Nidus, collection: string, ids: string[]): Promise<(Sent | null)[]> {
  if (!(await db.collections()).includes(collection)) return ids.map(() => null)
  return (await db.get(collection, ids)).map((record) => record ?? null)
}

export async function search(
  db: Nidus,
  queries: Float32Array[],
  { collections: names, ...wanted }: Wanted,
): Promise<Hit[][]> {
  // A shard need not have every collection.
  const there = await db.collections()
  const asked = names === undefined ? undefined : [names].flat().filter((name) => there.includes(name))
  if (asked?.length === 0) return queries.map(() => [])
  return db.searchMany(queries, { ...wanted, collections: asked })
}

const ask = (db: Nidus, args: QueryArgs) => (db as unknown as Opened)[BACKEND]().call('query', args)

export const statistics = async (db: Nidus, args: QueryArgs): Promise<{ statistics: OwnStatistics }> => ({
  statistics: (await ask(db, { ...args, statistics: 'own' })).statistics!,
})

export async function query(db: Nidus, args: QueryArgs): Promise<Found> {
  const found = await ask(db, args)
  const hits: Hit[] = [...hitsOf(found, db.dimension)]
  return { hits, ...(found.facets && { facets: found.facets }), ...(found.explain && { explain: found.explain }) }
}
