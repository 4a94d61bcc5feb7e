// Compiled and never run: stores whose type names the attributes of each collection.
import { Nidus, type Hit, type Hits, type Listed, type ListedRecord, type VectorRecord } from 'nidus-wasm'

type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const same = <T extends true>(..._: T[]) => {}

interface Doc {
  title: string
  year: number
}
interface Note {
  text: string
  pinned?: boolean
}
type App = { docs: Doc; notes: Note }

export async function byCollection(query: Float32Array) {
  await using db = await Nidus.open<App>('app', { dimension: 3 })
  same<Same<typeof db, Nidus<App>>>(true)
  await db.upsert('docs', { id: 'a', vector: query, attrs: { title: 'A', year: 2026 } })
  await db.update('notes', [{ id: 'a', attrs: { pinned: undefined } }])
  const record = await db.get('notes', 'a')
  same<Same<typeof record, VectorRecord<Note> | undefined>>(true)
  const listed = await db.list('docs', { orderBy: { year: 'desc' }, filter: { title: 'A' } })
  same<Same<typeof listed, Listed<Doc>>>(true)
  same<Same<(typeof listed)[number], ListedRecord<Doc>>>(true)
  await db.count('docs', { year: { $gt: 2000 } })

  const notes = await db.search(query, { collections: 'notes', filter: { pinned: true } })
  same<Same<typeof notes, Hits<Hit<Note, 'notes'>>>>(true)
  const words = await db.search({ text: 'a' }, { collections: ['docs'], prefix: true })
  same<Same<(typeof words)[0]['attrs'], Doc>>(true)
  const similar = await db.similar('docs', 'a', { collections: 'docs' })
  same<Same<(typeof similar)[0]['attrs'], Doc>>(true)
  for (const hit of await db.search(query))
    if (hit.collection === 'notes') same<Same<typeof hit.attrs, Note>>(true)
    else same<Same<typeof hit.attrs, Doc>>(true)

  // @ts-expect-error there is no such collection
  await db.upsert('pages', { id: 'a', vector: query })
  // @ts-expect-error notes have no such attribute
  await db.upsert('notes', { id: 'a', vector: query, attrs: { title: 'A', year: 1 } })
  // @ts-expect-error notes have no such attribute
  await db.search(query, { collections: 'notes', filter: { year: 5 } })
  // @ts-expect-error nor can they be ordered by it
  await db.list('notes', { orderBy: 'year' })
}

export async function excluded(db: Nidus, vector: Float32Array) {
  await db.search({ vector }, { groupBy: 'path', offset: 5, facets: { path: {} } })
  await db.search({ vector, text: 'words' }, { fusion: 'rrf', highlight: true })
  // @ts-expect-error there is nothing to put together
  await db.search({ vector }, { fusion: 'rrf' })
  // @ts-expect-error there are no words
  await db.search(vector, { highlight: true })
  // @ts-expect-error a question asks for something
  await db.search({}, {})
  await Nidus.open('a', { memory: 'compact', storage: 'opfs' })
  await Nidus.open('a', { workers: 4 })
  // @ts-expect-error search workers need all rows in memory
  await Nidus.open('a', { memory: 'compact', workers: 4 })
}
