import type { Attrs, Filter } from 'nidus-wasm'
import { mulberry32 } from './mulberry32.mjs'

/** `npm run test:long` sets this: generated tests then run all of their cases. Vite tells it to pages. */
export const EVERY_CASE = Boolean(
  (typeof process === 'undefined' ? undefined : process.env.NIDUS_EVERY_CASE) ||
  (import.meta as unknown as { env?: { NIDUS_EVERY_CASE?: string } }).env?.NIDUS_EVERY_CASE,
)

/** Returns all of these cases. In `npm test` it returns every `step`th case and all that are `important`. */
export const someOf = <T>(all: T[], step: number, important: (one: T) => boolean = () => false): T[] =>
  all.filter((one, n) => EVERY_CASE || n % step === 0 || important(one))

/** Returns a small generator of random numbers. The same seed gives the same numbers everywhere. */
export function random(seed: number) {
  const next = mulberry32(seed >>> 0)
  return {
    next,
    int: (below: number) => Math.floor(next() * below),
    vector: (dimension: number) => Float32Array.from({ length: dimension }, () => next() * 2 - 1),
    pick: <T>(of: readonly T[]) => of[Math.floor(next() * of.length)]!,
  }
}

const norm = (vector: Iterable<number>) => Math.sqrt([...vector].reduce((sum, x) => sum + x * x, 0))

export function cosine(a: Float32Array, b: Float32Array) {
  let dot = 0
  for (let i = 0; i < a.length; i++) dot += a[i]! * b[i]!
  return dot / (norm(a) * norm(b) || 1)
}

const bytes = (text: string) => new TextEncoder().encode(text)
export function byBytes(a: string, b: string) {
  const [x, y] = [bytes(a), bytes(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return x.length - y.length
}

interface Doc {
  vector: Float32Array
  attrs: Attrs
}

/** The content of a store, kept in Maps. */
export class Model {
  readonly all = new Map<string, { meta: Record<string, string>; docs: Map<string, Doc> }>()

  collection(name: string) {
    let found = this.all.get(name)
    if (!found) this.all.set(name, (found = { meta: {}, docs: new Map() }))
    return found
  }

  search(
    query: Float32Array,
    topK: number,
    collections = [...this.all.keys()],
    keep: (attrs: Attrs) => boolean = () => true,
  ) {
    return collections
      .flatMap((collection) =>
        [...(this.all.get(collection)?.docs ?? [])].map(([id, doc]) => ({ collection, id, ...doc })),
      )
      .filter(({ attrs }) => keep(attrs))
      .map(({ collection, id, vector }) => ({ collection, id, score: cosine(query, vector) }))
      .sort((a, b) => b.score - a.score || byBytes(a.collection, b.collection) || byBytes(a.id, b.id))
      .slice(0, topK)
  }
}

/**
 * Throws unless both lists have the same hits. Two hits whose scores differ by less than 1e-6 may stand in either
 * order.
 */
export function sameHits(
  got: { id: string; score: number; collection?: string }[],
  want: { id: string; score: number }[],
  all = want,
) {
  if (got.length !== want.length) throw new Error(`${got.length} hits instead of ${want.length}`)
  const scores = new Map(all.map(({ id, score }) => [id, score]))
  for (const [i, hit] of got.entries()) {
    const expected = want[i]!
    if (Math.abs(hit.score - expected.score) > 1e-5)
      throw new Error(`hit ${i}: score ${hit.score} instead of ${expected.score}`)
    if (hit.id === expected.id) continue
    const real = scores.get(hit.id)
    if (real === undefined || Math.abs(real - expected.score) >= 1e-6)
      throw new Error(`hit ${i}: ${hit.id} (${hit.score}) instead of ${expected.id} (${expected.score})`)
  }
}

/** Returns the lower case of a text, one character for each. */
const lower = (text: string) => [...text].map((c) => (c === 'İ' ? 'i' : c === 'ς' ? 'σ' : c.toLowerCase())).join('')
const text = (value: unknown, holds: (text: string) => boolean) => typeof value === 'string' && holds(value)
const list = (value: unknown, holds: (items: string[]) => boolean) => Array.isArray(value) && holds(value as string[])

export const filters: [string, Filter, (attrs: Attrs) => boolean][] = [
  ['equal', { lang: 'rust' }, (a) => a['lang'] === 'rust'],
  ['not equal needs the key', { lang: { $ne: 'rust' } }, (a) => a['lang'] !== undefined && a['lang'] !== 'rust'],
  ['in', { lang: { $in: ['rust', 'go'] } }, (a) => a['lang'] === 'rust' || a['lang'] === 'go'],
  [
    'not in',
    { lang: { $nin: ['rust', 'go'] } },
    (a) => a['lang'] !== undefined && a['lang'] !== 'rust' && a['lang'] !== 'go',
  ],
  [
    'a range',
    { year: { $gte: 2010, $lt: 2020 } },
    (a) => typeof a['year'] === 'number' && a['year'] >= 2010 && a['year'] < 2020,
  ],
  ['int against float', { year: { $gt: 2012.5 } }, (a) => typeof a['year'] === 'number' && a['year'] > 2012.5],
  ['glob', { path: { $glob: 'src/*' } }, (a) => typeof a['path'] === 'string' && /^src\//.test(a['path'])],
  ['contains', { tags: { $contains: 'a' } }, (a) => Array.isArray(a['tags']) && a['tags'].includes('a')],
  ['contains any', { tags: { $containsAny: ['b', 'x', ''] } }, (a) => list(a['tags'], (t) => t.includes('b'))],
  [
    'contains all',
    { tags: { $containsAll: ['b', 'a'] } },
    (a) => list(a['tags'], (t) => t.includes('a') && t.includes('b')),
  ],
  ['contains any of none', { tags: { $containsAny: [] } }, () => false],
  ['contains all of none', { tags: { $containsAll: [] } }, (a) => Array.isArray(a['tags'])],
  [
    'a list operator on other types',
    { title: { $containsAny: ['Öl'] } },
    (a) => list(a['title'], (t) => t.includes('Öl')),
  ],
  [
    'contains in texts and lists',
    { title: { $contains: 'Öl' } },
    (a) => text(a['title'], (t) => t.includes('Öl')) || list(a['title'], (t) => t.includes('Öl')),
  ],
  [
    'contains the empty string',
    { title: { $contains: '' } },
    (a) => text(a['title'], () => true) || list(a['title'], (t) => t.includes('')),
  ],
  [
    'contains without case',
    { title: { $icontains: 'ÖLİσ' } },
    (a) => text(a['title'], (t) => lower(t).includes('öliσ')),
  ],
  ['starts with', { title: { $startsWith: 'ÖL' } }, (a) => text(a['title'], (t) => t.startsWith('ÖL'))],
  [
    'starts with what a glob would not mean',
    { title: { $startsWith: '[*' } },
    (a) => text(a['title'], (t) => t.startsWith('[*')),
  ],
  ['glob without case', { title: { $iglob: 'Ö[K-M]*' } }, (a) => text(a['title'], (t) => /^ö[k-m]/.test(lower(t)))],
  [
    'not contains, absent too',
    { $not: { title: { $icontains: 'öl' } } },
    (a) => !text(a['title'], (t) => lower(t).includes('öl')),
  ],
  ['exists', { tags: { $exists: true } }, (a) => a['tags'] !== undefined],
  ['does not exist', { tags: { $exists: false } }, (a) => a['tags'] === undefined],
  ['null must be present', { gone: null }, (a) => a['gone'] === null],
  [
    'or',
    { $or: [{ lang: 'go' }, { year: { $lt: 2005 } }] },
    (a) => a['lang'] === 'go' || (typeof a['year'] === 'number' && a['year'] < 2005),
  ],
  ['not of an absent key', { $not: { lang: 'rust' } }, (a) => a['lang'] !== 'rust'],
  ['not inside a key', { year: { $not: { $gt: 2010 } } }, (a) => !(typeof a['year'] === 'number' && a['year'] > 2010)],
  [
    'and, nested',
    { $and: [{ lang: 'rust' }, { $or: [{ year: 2001 }, { tags: { $contains: 'b' } }] }] },
    (a) => a['lang'] === 'rust' && (a['year'] === 2001 || (Array.isArray(a['tags']) && a['tags'].includes('b'))),
  ],
  ['nothing', { $or: [] }, () => false],
  ['everything', {}, () => true],
]

export function someAttrs(r: ReturnType<typeof random>): Attrs {
  const attrs: Attrs = {}
  if (r.next() < 0.8) attrs['lang'] = r.pick(['rust', 'go', 'ts'])
  if (r.next() < 0.8) attrs['year'] = 2000 + r.int(25)
  if (r.next() < 0.5) attrs['path'] = r.pick(['src/a.rs', 'src/b/c.rs', 'www/x.ts'])
  if (r.next() < 0.5) attrs['tags'] = r.pick([['a'], ['b'], ['a', 'b'], []])
  if (r.next() < 0.3) attrs['gone'] = null
  if (r.next() < 0.8)
    attrs['title'] = r.pick([
      ...['Öl', 'öl', 'ÖLİΣ und mehr', 'das ölİς', 'ein Öl', '', '[*] ÖL', 'O\u0308l', 'ÖM'],
      ...[['Öl', ''], ['öl'], [], null, 5, true, new Date(5)],
    ])
  return attrs
}
