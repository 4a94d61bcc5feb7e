// @orama/orama: a search engine in JavaScript, used for its vectors alone.
import { create, insertMultiple, searchVector } from '@orama/orama'

export default {
  index: 'none; exact',
  exact: true,
  how:
    'vector[n] and a number in the schema, insertMultiple of number[] (typed arrays are refused), ' +
    'searchVector with similarity -1 (its default of 0.8 leaves rows out)',
  async open() {
    let db
    return {
      async build(input) {
        db = create({ schema: { bucket: 'number', vector: `vector[${input.dimension}]` } })
        for (let from = 0; from < input.rows; from += 1000) {
          const { ids, attrs } = input.records(from, Math.min(input.rows, from + 1000))
          const docs = ids.map((id, i) => ({
            id,
            ...attrs[i],
            vector: Array.from(input.vectors.subarray((from + i) * input.dimension, (from + i + 1) * input.dimension)),
          }))
          await insertMultiple(db, docs, 1000)
        }
      },
      search: (query, k, bucket) =>
        searchVector(db, {
          mode: 'vector',
          vector: { value: query, property: 'vector' },
          similarity: -1,
          limit: k,
          ...(bucket !== undefined && { where: { bucket: { eq: bucket } } }),
        }),
      rowsOf: ({ hits }) => hits.map(({ id }) => Number(id)),
      close() {
        db = undefined
      },
    }
  },
}
