import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'
import { listSuite } from '../common/lists'
import { EVERY_CASE, random } from '../common/model'

const root = temporaryFolder('lists')

let n = 0
listSuite('memory', { fresh: () => `l${n++}`, options: () => ({ storage: 'memory' }), again: false })
listSuite('fs in compact memory', {
  fresh: () => join(root, `c${n++}`),
  options: () => ({ memory: 'compact' }),
  again: true,
})

describe('lists in the order of the ids', () => {
  it('stay right while many more records than are kept in order are written, changed and deleted', async () => {
    const r = random(20261129)
    const model = new Map<string, { n: number }>()
    await using db = await Nidus.open('by id', { storage: 'memory', dimension: 2 })
    const idOf = () => `${r.pick(['a', 'B', 'é', '\uFF21', '\u{1F600}'])}${r.int(3000)}`
    const upsert = async (count: number) => {
      const ids = [...new Set(Array.from({ length: count }, idOf))]
      const records = ids.map((id) => ({ id, vector: [1, 0], attrs: { n: r.int(4) } }))
      await db.upsert('c', records)
      await db.upsert('other', records.slice(0, 5))
      for (const { id, attrs } of records) model.set(id, attrs)
    }
    const sorted = () =>
      Array.from(model.keys(), (id) => Buffer.from(id))
        .sort(Buffer.compare)
        .map(String)
    await upsert(9000)
    for (let step = 0; step < (EVERY_CASE ? 400 : 100); step++) {
      const some = sorted()
      // Most changes are near the beginning, where they matter.
      const near = () => some[r.int(r.pick([5, 50, 1100, some.length]))]!
      const kind = r.int(6)
      if (kind < 2) await upsert(r.pick([1, 3, 40]))
      else if (kind === 2) {
        const ids = [...new Set(Array.from({ length: r.pick([1, 1, 30, 600]) }, near))]
        await db.delete('c', ids)
        for (const id of ids) model.delete(id)
      } else if (kind === 3) {
        const id = near()
        await db.update('c', { id, attrs: { n: 3 } })
        model.set(id, { n: 3 })
      } else if (kind === 4 && step % 20 === 0) await upsert(6000)
      const options = { limit: r.pick([1, 20, 700, 1500]), offset: r.pick([0, 0, 10, 900]) }
      const least = r.pick([undefined, 1, 3])
      const filter = least === undefined ? {} : { filter: { n: { $gte: least } } }
      const collection = r.int(12) === 0 ? 'other' : 'c'
      const found = (await db.list(collection, { ...options, ...filter })).map(({ id }) => id)
      if (collection === 'other') continue
      const expected = sorted().filter((id) => least === undefined || model.get(id)!.n >= least)
      expect(found).toEqual(expected.slice(options.offset, options.offset + options.limit))
    }
  })
})
