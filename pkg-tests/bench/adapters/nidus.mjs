// Ours, through the public API alone. In Node the engine runs in the caller's thread; in a browser OPFS stores run in the package's own worker.
import { Nidus } from 'nidus-wasm'

const BATCH = 1000

export default {
  name: 'nidus-wasm',
  index: 'none to be built by hand; exact',
  exact: true,
  ours: true,
  how: 'storage: "memory", columnar upserts of 1,000 rows',
  async open() {
    let db
    const filterOf = (bucket) => bucket === undefined ? undefined : { bucket }
    return {
      async build(input, onBatch) {
        db = await Nidus.open(`bench-${input.name}`, { storage: 'memory', dimension: input.dimension })
        for (let from = 0; from < input.rows; from += BATCH) {
          const batch = input.records(from, Math.min(input.rows, from + BATCH))
          const began = performance.now()
          await db.upsert('rows', batch)
          await onBatch?.(from + batch.ids.length, performance.now() - began)
        }
      },
      async search(query, k, bucket) {
        const hits = await db.search(query, { topK: k, filter: filterOf(bucket) })
        return hits
      },
      searchMany: (queries, k) => db.searchMany(queries, { topK: k }),
      rowsOf: (hits) => hits.map((hit) => Number(hit.id)),
      scoresOf: (hits) => hits.map((hit) => hit.score),
      wasmBytes: async () => (await db.footprint()).memoryBytes,
      close: () => db.close(),
    }
  },
}
