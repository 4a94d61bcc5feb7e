// @ruvector/rvf-wasm: its C interface, used as its wrapper @ruvector/rvf uses it. Its store scans all rows. It
// exports no graph.
import init from '@ruvector/rvf-wasm'

const BATCH = 1000
const COSINE = 2

export default {
  index: 'none (its store scans)',
  how: 'rvf_store_ingest of 1,000 rows, rvf_store_query, cosine; it has no filter',
  filters: false,
  async open({ asset }) {
    const wasm = await init(await asset('@ruvector/rvf-wasm/pkg/rvf_wasm_bg.wasm'))
    let store, at, found
    return {
      build(input) {
        store = wasm.rvf_store_create(input.dimension, COSINE)
        if (store <= 0) throw new Error(`rvf_store_create: ${store}`)
        const vectors = wasm.rvf_alloc(BATCH * input.dimension * 4)
        const ids = wasm.rvf_alloc(BATCH * 8)
        for (let from = 0; from < input.rows; from += BATCH) {
          const count = Math.min(BATCH, input.rows - from)
          new Float32Array(wasm.memory.buffer, vectors, count * input.dimension).set(
            input.vectors.subarray(from * input.dimension, (from + count) * input.dimension),
          )
          new BigUint64Array(wasm.memory.buffer, ids, count).set(
            BigUint64Array.from({ length: count }, (_, i) => BigInt(from + i)),
          )
          const taken = wasm.rvf_store_ingest(store, vectors, ids, count)
          if (taken !== count) throw new Error(`rvf_store_ingest took ${taken} of ${count} rows`)
        }
        wasm.rvf_free(vectors, BATCH * input.dimension * 4)
        wasm.rvf_free(ids, BATCH * 8)
        at = wasm.rvf_alloc(input.dimension * 4)
        found = wasm.rvf_alloc(128 * 12)
      },
      search(query, k) {
        new Float32Array(wasm.memory.buffer, at, query.length).set(query)
        const count = wasm.rvf_store_query(store, at, k, COSINE, found)
        // Each hit has eight bytes of id and four of distance.
        const view = new DataView(wasm.memory.buffer, found, count * 12)
        return Array.from({ length: count }, (_, i) => ({
          id: view.getBigUint64(i * 12, true),
          distance: view.getFloat32(i * 12 + 8, true),
        }))
      },
      rowsOf: (hits) => hits.map(({ id }) => Number(id)),
      close: () => void wasm.rvf_store_close(store),
    }
  },
}
