// A list of operations for every kind of store. Each follows from a seed and its number.
import { mulberry32 } from '../common/mulberry32.mjs'

export const DIMENSION = 512
const IDS = 3000

/** Returns a generator of numbers from 0 to below 1, always the same ones for the same arguments. */
function numbers(...parts) {
  let state = 0x9e3779b9
  for (const part of parts) state = Math.imul(state ^ part, 0x85ebca6b) ^ (state >>> 13)
  return mulberry32(state)
}

/** Calls the operation of that number on `db` at once. Resolves when it is acknowledged. */
export function operate(db, seed, number) {
  const next = numbers(seed, number)
  const below = (n) => Math.floor(next() * n)
  const kind = next()
  if (kind < 0.03) return db.compact()
  if (kind < 0.06) return db.setMeta('c', { number: `${number}` })
  if (kind < 0.15)
    return db.delete(
      'c',
      Array.from({ length: 1 + below(20) }, () => `${below(IDS)}`),
    )
  if (kind < 0.18) return db.deleteWhere('c', { group: below(100) })
  const count = kind < 0.4 ? 1 : 1 + below(80)
  const vectors = new Float32Array(count * DIMENSION)
  for (let i = 0; i < vectors.length; i++) vectors[i] = ((i * 7919 + number * 104729) % 2003) - 1001
  return db.upsert('c', {
    ids: Array.from({ length: count }, () => `${below(IDS)}`),
    vectors,
    attrs: Array.from({ length: count }, (_, i) => ({ number, i, group: below(100), text: 'x'.repeat(below(60)) })),
  })
}

/** Returns a digest of all records, bit by bit, and of the metadata. */
export async function digest(db) {
  const parts = [new TextEncoder().encode(JSON.stringify(await db.getMeta('c')))]
  for await (const { id, vector, attrs } of db.records('c')) {
    parts.push(
      new TextEncoder().encode(JSON.stringify([id, Object.entries(attrs).sort()])),
      new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
    )
  }
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
