// The operations of a writer. They are computed from a seed alone, so the writer and the checker make the same list.
// Runs in pages, Node, Deno and Bun.

export const DIMENSION = 32
const COLLECTIONS = ['a', 'b', 'ü']
const IDS = 60

/** Returns a small generator of random numbers. The same seed gives the same numbers everywhere. */
export function random(...seed) {
  let state = 0x9e3779b9
  for (const part of seed) state = Math.imul(state ^ (part >>> 0), 0x85ebca6b) ^ (state >>> 13)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (below) => Math.floor(next() * below)
  return { next, int, pick: (of) => of[int(of.length)] }
}

export function vectorOf(seed, op, n) {
  const { next } = random(seed, op, n, 7)
  return Float32Array.from({ length: DIMENSION }, () => next() * 2 - 1)
}

/**
 * Returns operation `op`: { kind, collection, ids, meta, weight }. The same arguments always give the same operation.
 * The attributes of its record number n have `op` and `n`.
 */
export function operation(seed, op) {
  const r = random(seed, op)
  const collection = r.pick(COLLECTIONS)
  const ids = (most) => Array.from({ length: 1 + r.int(most) }, () => `${collection}${r.int(IDS)}`)
  const kind = r.int(100)
  if (kind < 60) return { kind: 'upsert', collection, ids: ids(6) }
  // Large batches make frames of many sectors, and single records make frames of less than one.
  if (kind < 66) return { kind: 'upsert', collection, ids: ids(80) }
  if (kind < 75) return { kind: 'upsert', collection, ids: ids(1) }
  if (kind < 91) return { kind: 'delete', collection, ids: ids(5) }
  if (kind < 93) return { kind: 'meta', collection, meta: { op: String(op), text: 'é'.repeat(r.int(300)) } }
  if (kind < 94) return { kind: 'drop', collection }
  if (kind < 97) return { kind: 'text', collection, weight: 1 + r.int(3) }
  return { kind: 'compact' }
}

/** The words of which every text has one. */
export const WORDS = ['ash', 'birch', 'cedar', 'elm']
export const wordOf = (op, n) => WORDS[(op * 3 + n) % WORDS.length]

export const attrsOf = (op, n) => ({ op, n, text: `${wordOf(op, n)} ${'x'.repeat((op * 7 + n * 13) % 90)}` })

/** Applies the operation to a model: a Map of collection to { meta, weight, docs: Map of id to [op, n] }. */
export function apply(model, seed, op) {
  const { kind, collection, ids, meta, weight } = operation(seed, op)
  if (kind === 'compact') return
  if (kind === 'drop') return void model.delete(collection)
  if (kind === 'delete') {
    for (const id of ids) model.get(collection)?.docs.delete(id)
    return
  }
  if (!model.has(collection)) model.set(collection, { meta: {}, docs: new Map() })
  const { docs } = model.get(collection)
  if (kind === 'meta') model.get(collection).meta = meta
  else if (kind === 'text') model.get(collection).weight = weight
  else for (const [n, id] of ids.entries()) docs.set(id, [op, n])
}
