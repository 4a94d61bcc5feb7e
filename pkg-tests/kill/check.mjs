// Compares the content of a store whose writer was killed with what the writer was told.
import { WORDS, apply, attrsOf, operation, vectorOf, wordOf } from './plan.mjs'
import { queryOf } from './writer.mjs'

/**
 * The most operations that may have been made after the last one that is seen. Records have the number of their
 * operation, but deletions and changes of metadata cannot be seen.
 */
const UNSEEN = 64

export class Loss extends Error {
  constructor(message, { lost, doubled }) {
    super(message)
    Object.assign(this, { lost, doubled })
  }
}

const copy = (model) =>
  new Map([...model].map(([name, { docs, ...others }]) => [name, { ...others, docs: new Map(docs) }]))

/**
 * Checks the state of a store. The writer makes operations in order, so the store must have the state after one of
 * them: the last that was acknowledged, or a later one. This also shows that each batch is there completely or not at
 * all.
 */
export class Checker {
  #seed
  #base = new Map()
  #at = 0
  #acknowledged = 0
  #said = new Set()

  constructor(seed) {
    this.#seed = seed
  }

  /** The number of the next operation. Operations are counted from 1. */
  get next() {
    return this.#at + 1
  }

  acknowledge(op) {
    this.#said.add(op)
    this.#acknowledged = Math.max(this.#acknowledged, op)
  }

  /**
   * Throws a Loss if the state is wrong. Otherwise the next check starts from this state. Returns how many operations
   * are there that were not acknowledged.
   */
  check(found) {
    this.#coherent(found)
    const from = Math.max(this.#at, this.#acknowledged)
    const model = copy(this.#base)
    for (let op = this.#at + 1; op <= from; op++) apply(model, this.#seed, op)
    const expected = copy(model)
    let seen = from
    for (const { records } of Object.values(found.collections))
      for (const [, attrs] of records) seen = Math.max(seen, attrs.op)
    for (let op = from; ;) {
      if (same(model, found)) {
        this.#vectors(found)
        this.#hits(found, op)
        this.#words(found, op)
        this.#base = model
        this.#at = this.#acknowledged = op
        this.#said.clear()
        return op - from
      }
      if (++op > seen + UNSEEN) throw this.#loss(expected, found)
      apply(model, this.#seed, op)
    }
  }

  /** Checks that no record is listed twice, and that the count is right. */
  #coherent({ collections }) {
    for (const [name, { count, records }] of Object.entries(collections)) {
      const ids = new Set(records.map(([id]) => id))
      if (ids.size !== records.length)
        throw new Loss(`${records.length - ids.size} records of "${name}" are listed twice`, {
          lost: 0,
          doubled: records.length - ids.size,
        })
      if (count !== ids.size)
        throw new Loss(`"${name}" counts ${count} records and lists ${ids.size}`, {
          lost: Math.max(0, ids.size - count),
          doubled: Math.max(0, count - ids.size),
        })
    }
  }

  #loss(expected, found) {
    const missing = new Set()
    let doubled = 0
    for (const [name, { docs }] of expected) {
      const there = new Map((found.collections[name]?.records ?? []).map(([id, attrs]) => [id, attrs]))
      for (const [id, [op]] of docs) if ((there.get(id)?.op ?? -1) < op) missing.add(op)
    }
    for (const [name, { records }] of Object.entries(found.collections)) {
      for (const [id, { op }] of records) if (op <= this.#acknowledged && !expected.get(name)?.docs.has(id)) doubled++
    }
    const lost = [...missing].filter((op) => this.#said.has(op) || op <= this.#at)
    return new Loss(
      `no state behind operation ${this.#acknowledged} or a later one is what was found; last verified ` +
        `${this.#at}. Of operations ${lost.sort((a, b) => a - b).join(', ') || 'unknown'} something acknowledged ` +
        'is missing, ' +
        `${doubled} records should not be there. ${difference(expected, found)}`,
      { lost: lost.length || (doubled ? 0 : 1), doubled },
    )
  }

  #vectors({ collections }) {
    for (const [name, { records }] of Object.entries(collections)) {
      for (const [id, { op, n, text }, vector] of records) {
        if (operation(this.#seed, op).ids[n] !== id || attrsOf(op, n).text !== text)
          throw new Loss(`the attributes of "${id}" in "${name}" are not those of operation ${op}`, {
            lost: 1,
            doubled: 0,
          })
        const given = vectorOf(this.#seed, op, n)
        const norm = Math.hypot(...given)
        if (!given.every((x, i) => Math.abs(x / norm - vector[i]) < 1e-6))
          throw new Loss(`the vector of "${id}" in "${name}" is not that of operation ${op}`, { lost: 1, doubled: 0 })
      }
    }
  }

  /** Checks that a search for a word finds all records whose texts have it, and no others. */
  #words({ collections }, at) {
    for (const [name, { records, words }] of Object.entries(collections)) {
      if (!words) continue
      for (const word of WORDS) {
        const want = records.flatMap(([id, { op, n }]) => (wordOf(op, n) === word ? [id] : [])).sort()
        const found = words[word].sort()
        if (String(found) !== String(want))
          throw new Loss(
            `behind operation ${at} a search for "${word}" in "${name}" finds ${found.join(' ') || 'nothing'} ` +
              `instead of ${want.join(' ') || 'nothing'}`,
            { lost: Math.max(1, want.length - found.length), doubled: Math.max(0, found.length - want.length) },
          )
      }
    }
  }

  #hits({ collections, hits, asked }, at) {
    const all = Object.entries(collections).flatMap(([name, { records }]) =>
      records.map(([id, , vector]) => ({ key: `${name}/${id}`, vector })),
    )
    for (const [n, found] of hits.entries()) {
      const query = queryOf(this.#seed, asked, n)
      const norm = Math.hypot(...query)
      const want = new Map(
        all.map(({ key, vector }) => [key, vector.reduce((sum, x, i) => sum + x * query[i], 0) / norm]),
      )
      const keys = new Set(found.map(([collection, id]) => `${collection}/${id}`))
      const doubled = found.length - keys.size
      let last = Infinity
      const wrong = found.filter(([collection, id, score]) => {
        const right = Math.abs((want.get(`${collection}/${id}`) ?? 9) - score) < 1e-5 && score <= last
        last = score
        return !right
      })
      if (doubled || wrong.length || keys.size !== want.size) {
        throw new Loss(
          `behind operation ${at} a search finds ${found.length} of ${want.size} records, ${wrong.length} of them ` +
            `wrongly, ${doubled} of them twice`,
          { lost: Math.max(0, want.size - keys.size), doubled },
        )
      }
    }
  }
}

function same(model, { collections }) {
  const names = Object.keys(collections)
  if (names.length !== model.size) return false
  return names.every((name) => {
    const { meta, docs, weight } = model.get(name) ?? {}
    const { records, meta: found, weight: kept } = collections[name]
    return (
      docs?.size === records.length &&
      records.every(([id, { op, n }]) => docs.get(id)?.[0] === op && docs.get(id)[1] === n) &&
      meta.op === found.op &&
      weight === kept &&
      meta.text === found.text
    )
  })
}

function difference(expected, { collections }) {
  const parts = []
  for (const name of new Set([...expected.keys(), ...Object.keys(collections)])) {
    const { docs, meta } = expected.get(name) ?? {}
    const there = collections[name]
    if (!docs || !there) parts.push(`"${name}" is ${docs ? 'missing' : 'there'}`)
    else {
      const found = new Map(there.records.map(([id, { op, n }]) => [id, `${op}.${n}`]))
      for (const id of new Set([...docs.keys(), ...found.keys()])) {
        const want = docs.get(id)?.join('.')
        if (want !== found.get(id)) parts.push(`${id}: ${found.get(id) ?? 'nothing'} instead of ${want ?? 'nothing'}`)
      }
      if (meta.op !== there.meta.op) parts.push(`metadata of "${name}": ${there.meta.op} instead of ${meta.op}`)
    }
  }
  return parts.slice(0, 12).join('; ')
}
