// client-vector-search: a scan over objects in JavaScript.
import { EmbeddingIndex } from 'client-vector-search'

export default {
  index: 'none; scores rounded to 6 digits',
  how: 'EmbeddingIndex of objects with number[] (typed arrays are refused), useStorage "none"',
  async open() {
    let index
    return {
      build(input) {
        const object = (row) => ({
          id: row,
          bucket: input.buckets[row],
          embedding: Array.from(input.vectors.subarray(row * input.dimension, (row + 1) * input.dimension)),
        })
        index = new EmbeddingIndex(Array.from({ length: input.rows }, (_, row) => object(row)))
      },
      prepare: (query) => Array.from(query),
      search: (query, k, bucket) =>
        index.search(query, { topK: k, useStorage: 'none', ...(bucket !== undefined && { filter: { bucket } }) }),
      rowsOf: (found) => found.map(({ object }) => object.id),
      close: () => index?.clear(),
    }
  },
}
