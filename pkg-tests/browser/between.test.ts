// A writer makes, compacts and destroys a store again and again. Readers never see damage, only a store or none.
import { describe, expect, it } from 'vitest'
import { Nidus, NidusError } from 'nidus-wasm'

const ROUNDS = 12
let names = 0

describe.each(['opfs', 'indexeddb'] as const)('between a writer and readers (%s)', (storage) => {
  it('a store is there or not, and never looks damaged', async () => {
    const name = `between ${Date.now()} ${names++}`
    let done = false
    const wrong = new Set<string>()
    let read = 0
    const watch = async () => {
      while (!done) {
        try {
          const db = await Nidus.open(name, { readOnly: true, storage })
          if ((await db.count()) > 2) wrong.add('more than was written')
          read++
          await db.close()
        } catch (error) {
          if ((error as NidusError).code !== 'NOT_FOUND') wrong.add(`${error}`)
        }
      }
    }
    const readers = [watch(), watch()]
    for (let round = 0; round < ROUNDS; round++) {
      const db = await Nidus.open(name, { dimension: 4, storage })
      await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
      await db.compact()
      await db.upsert('c', [{ id: 'b', vector: [1, 0, 0, 0] }])
      await db.compact()
      await db.close()
      if (round % 2) await Nidus.destroy(name, { storage })
    }
    done = true
    await Promise.all(readers)
    expect([...wrong]).toEqual([])
    expect(read).toBeGreaterThan(0)
  })
})
