import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import type { Place } from './api'
import { random } from './model'

const D = 96
/** Enough rows for three chunks of codes, which are distributed to workers. */
const ROWS = 8500

/** Tests that codes are made in the background and change no answer. */
export function codesSuite(kind: string, { fresh, options, again }: Place) {
  describe(`codes over ${kind}`, () => {
    it('are made in the background, and answers stay the same bit for bit', async () => {
      const { next } = random(5)
      const vectors = Float32Array.from({ length: ROWS * D }, (_, i) => (next() - 0.5) / (1 + (i % D)))
      const ids = Array.from({ length: ROWS }, (_, i) => `${i}`)
      const queries = Array.from({ length: 10 }, (_, n) => vectors.slice(n * 800 * D, (n * 800 + 1) * D))
      const current = fresh()
      const db = await Nidus.open(current, { ...options(), dimension: D })
      const answers = () => Promise.all(queries.map((query) => db.search(query, { topK: 7 })))
      const made = async (rows: number) => {
        for (;;) {
          const found = await answers()
          const { codedRows } = await db.footprint()
          if (codedRows > rows - 16) return found
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      await db.upsert('c', { ids, vectors })
      const before = await answers()
      expect(before.map((hits) => hits[0]!.id)).toEqual(queries.map((_, n) => `${n * 800}`))
      expect(await made(ROWS)).toEqual(before)

      const gone = before.map((hits) => hits[0]!.id)
      await db.delete('c', gone)
      const without = before.map((hits) => hits.filter(({ id }) => !gone.includes(id)).slice(0, 5))
      const five = async (found: Promise<typeof before>) => (await found).map((hits) => hits.slice(0, 5))
      expect(await five(answers())).toEqual(without)
      await db.compact()
      expect(await five(answers())).toEqual(without)
      expect(await five(made(ROWS - queries.length))).toEqual(without)
      expect(await five(db.searchMany(queries, { topK: 7 }))).toEqual(without)
      const [hit] = await db.search(queries[0]!, { topK: 1, withVectors: true })
      expect(await db.get('c', [hit!.id])).toEqual([{ id: hit!.id, vector: hit!.vector, attrs: {} }])
      await db.close()
      if (!again) return

      // Rows that an opening reads have codes at once.
      const reopened = await Nidus.open(current, options())
      expect((await reopened.searchMany(queries, { topK: 7 })).map((hits) => hits.slice(0, 5))).toEqual(without)
      await reopened.upsert('c', { ids: ['new'], vectors: queries[0]! })
      expect((await reopened.search(queries[0]!, { topK: 1 }))[0]!.id).toBe('new')
      const seen = []
      for await (const { id } of reopened.records('c')) seen.push(id)
      expect(seen).toHaveLength(ROWS - queries.length + 1)
      await reopened.close()
    })
  })
}
