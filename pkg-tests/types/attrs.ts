// Compiled and never run: what a type of attributes allows and what it forbids.
import { Nidus, type AttrsOf, type Filter, type Hit, type Hits, type VectorRecord } from 'nidus-wasm'

type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const same = <T extends true>(..._: T[]) => {}

interface Note {
  lang: 'en' | 'de'
  year: number
  title?: string
  tags: string[]
  read: boolean
  due: Date | null
  big?: bigint
}

export async function typed(db: Nidus<Note>, query: Float32Array) {
  const hits = await db.search(query, {
    filter: { lang: 'en', year: { $gte: 2020, $lt: 2025n }, tags: { $contains: 'a' }, title: { $glob: 'A*' } },
  })
  same<Same<typeof hits, Hits<Hit<Note>>>>(true)
  same<Same<(typeof hits)[0]['attrs']['lang'], 'en' | 'de'>>(true)
  same<Same<(typeof hits)[0]['attrs']['title'], string | undefined>>(true)
  for await (const record of db.records('notes', { filter: { due: null } }))
    same<Same<typeof record.attrs.due, Date | null>>(true)
  const [first] = await db.get('notes', ['a'])
  same<Same<typeof first, VectorRecord<Note> | undefined>>(true)

  await db.count('notes', { $or: [{ lang: 'de' }, { $not: { read: true } }], due: { $exists: true } })
  await db.deleteWhere('notes', { $and: [{ big: { $gt: 5 } }, { due: { $lte: new Date() } }] })
  await db.count('notes', {
    lang: { $in: ['en'] },
    title: { $not: { $glob: '*' } },
    tags: { $eq: ['a', 'b'] },
    year: { $ne: 1 },
  })
  await db.upsert('notes', [
    { id: 'a', vector: query, attrs: { lang: 'en', year: 2026, tags: [], read: false, due: null } },
  ])
  await db.upsert('notes', {
    ids: ['a'],
    vectors: query,
    attrs: [{ lang: 'en', year: 2026, tags: [], read: false, due: new Date() }],
  })

  // @ts-expect-error notes do not have this key
  await db.search(query, { filter: { language: 'en' } })
  // @ts-expect-error this is none of the languages
  await db.search(query, { filter: { lang: 'fr' } })
  // @ts-expect-error a string in place of a number
  await db.search(query, { filter: { year: { $gte: '2020' } } })
  // @ts-expect-error globs are only for strings
  await db.search(query, { filter: { year: { $glob: '2*' } } })
  await db.search(query, {
    filter: {
      lang: { $contains: 'e', $icontains: 'E', $startsWith: 'd', $iglob: 'D*' },
      tags: { $containsAny: ['a', 'b'], $not: { $containsAll: ['c'] } },
    },
  })
  // @ts-expect-error $contains is only for strings and lists
  await db.search(query, { filter: { year: { $contains: '2' } } })
  // @ts-expect-error $icontains is only for strings
  await db.search(query, { filter: { tags: { $icontains: 'a' } } })
  // @ts-expect-error $startsWith is only for strings
  await db.search(query, { filter: { read: { $startsWith: 't' } } })
  // @ts-expect-error $iglob is only for strings
  await db.search(query, { filter: { tags: { $iglob: 'a*' } } })
  // @ts-expect-error $containsAny is only for lists
  await db.search(query, { filter: { title: { $containsAny: ['a'] } } })
  // @ts-expect-error $containsAll is only for lists, even if it is empty
  await db.search(query, { filter: { year: { $containsAll: [] } } })
  // @ts-expect-error $containsAny takes an array
  await db.search(query, { filter: { tags: { $containsAny: 'a' } } })
  // @ts-expect-error $in compares whole lists
  await db.search(query, { filter: { tags: { $in: ['a'] } } })
  // @ts-expect-error an element of another type
  await db.search(query, { filter: { tags: { $contains: 5 } } })
  // @ts-expect-error null cannot be compared by order
  await db.search(query, { filter: { due: { $gt: null } } })
  // @ts-expect-error there is no such operator
  await db.search(query, { filter: { year: { $between: [1, 2] } } })
  // @ts-expect-error also inside another operator
  await db.search(query, { filter: { $or: [{ $not: { $and: [{ language: 'en' }] } }] } })
  // @ts-expect-error a key is missing
  await db.upsert('notes', [{ id: 'a', vector: query, attrs: { lang: 'en', year: 2026 } }])
  // @ts-expect-error an attribute of a record has a wrong type
  hits[0]!.attrs.language
}

export async function untyped(db: Nidus, query: number[]) {
  const filter: Filter = {
    anything: 'x',
    path: { $glob: 'src/*' },
    title: { $icontains: 'winter', $startsWith: 'The' },
    tags: { $containsAny: ['a'], $contains: 'b' },
    $or: [{ tag: 'a' }, { year: { $gte: 5n } }],
    $not: { a: null },
  }
  const [hit] = await db.search(query, { filter, topK: 5 })
  hit?.attrs.anything satisfies null | string | number | bigint | boolean | Date | string[] | undefined
  // @ts-expect-error this value cannot be an attribute
  await db.upsert('c', [{ id: 'a', vector: query, attrs: { nested: { a: 1 } } }])
  // @ts-expect-error this value cannot be an attribute
  await db.count('c', { a: Symbol.iterator })
}

/** If a type has an index signature next to named keys, all other keys are allowed. */
export async function open(db: Nidus<{ [key: string]: string | number | undefined; lang: string }>) {
  await db.count('c', { lang: { $glob: 'e*' }, whatever: { $gt: 5 } })
  // @ts-expect-error
  await db.count('c', { lang: { $gt: 5 } })
}

// @ts-expect-error a type with a member that cannot be an attribute
export type Wrong = Nidus<{ nested: { a: number }; lang: string }>
// @ts-expect-error a collection with a member that cannot be an attribute
export type WrongCollection = Nidus<{ docs: { nested: { a: number } } }>
export type Right<A extends AttrsOf<A>> = Nidus<A>

export async function opened() {
  await using db = await Nidus.open<Note>('notes', { dimension: 3 })
  same<Same<typeof db, Nidus<Note>>>(true)
  const copy = await Nidus.import<Note>('copy', db.export(), {
    signal: AbortSignal.timeout(5000),
    onProgress: (done, total) => void ((done satisfies number) + (total ?? 0)),
  })
  const served = await Nidus.fromStatic<Note>(
    { data: new Blob(), log: 'https://example.com/log' },
    { memory: 'compact', cache: 'opfs', onProgress: (done, total) => void ((done + total) satisfies number) },
  )
  ;(await served.search([1, 0, 0]))[0]?.attrs satisfies Note | undefined
  // @ts-expect-error: nothing can be written
  void Nidus.fromStatic('x', { durability: 'strict' })
  await copy[Symbol.asyncDispose]()
  // @ts-expect-error there is no such kind
  await Nidus.open('notes', { storage: 'sqlite' })
}
