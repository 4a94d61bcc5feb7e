// This package, through its public API. In Node a store runs in the caller's thread. In a browser a store in OPFS
// runs in the package's own worker.
const BATCH = 1000

/** Returns the adapter. `module` names the .wasm file to use in place of the one that the package chooses. */
const adapter = (module) => ({
  index: 'nothing to build; exact',
  exact: true,
  ours: true,
  how:
    'storage: "memory", columnar upserts of 1,000 rows; ' +
    "in a browser in the package's own worker, so times include the messages to it and back",
  async open({ nidus, dist }) {
    const { Nidus } = await import(nidus)
    const common = module ? { wasm: dist(module) } : {}
    let db, reopen
    const filterOf = (bucket) => (bucket === undefined ? undefined : { bucket })
    return {
      async build(input, onBatch) {
        const { name = `bench-${input.name}`, ...options } = input.store ?? { storage: 'memory' }
        const all = { dimension: input.dimension, ...common, ...options }
        reopen = () => Nidus.open(name, all)
        db = await reopen()
        let taken = 0
        const ends = [input.rows, ...(input.marks ?? [])]
        for (let from = 0, to; from < input.rows; from = to) {
          to = Math.min(from + BATCH, ...ends.filter((end) => end > from))
          const batch = input.records(from, to)
          const began = performance.now()
          await db.upsert('rows', batch)
          const ms = performance.now() - began
          taken += ms
          await onBatch?.(to, ms)
        }
        // Rows that are generated on demand take time, so then only the upserts count.
        return input.vectors ? undefined : taken
      },
      search: (query, k, bucket) => db.search(query, { topK: k, filter: filterOf(bucket) }),
      searchMany: (queries, k) => db.searchMany(queries, { topK: k }),
      rowsOf: (hits) => hits.map((hit) => Number(hit.id)),
      scoresOf: (hits) => hits.map((hit) => hit.score),
      wasmBytes: async () => (await db.footprint()).memoryBytes,
      codedRows: async () => (await db.footprint()).codedRows,
      async reopen() {
        await db.close()
        db = await reopen()
      },
      close: () => db.close(),
    }
  },
})

export default adapter()
/** The same with one of the two modules that differ in one instruction only. */
export const plain = adapter('nidus.wasm')
export const relaxed = adapter('nidus-relaxed.wasm')
