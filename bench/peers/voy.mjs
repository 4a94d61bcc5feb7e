// voy-search: a k-d tree. Its entry imports the .wasm as a module, which neither Node 20 nor a browser can do. So this
// file makes the instance and gives it to voy's glue.
import * as glue from 'voy-search/voy_search_bg.js'

// The glue keeps views of the memory of its first instance, so a second one would not work.
let started = false

export default {
  index: 'k-d tree',
  how:
    'new Voy(resource), rows as number[] (it takes nothing else); it has no filter. ' +
    'Euclidean distance, which orders unit rows as the cosine does',
  filters: false,
  growth: 1.3,
  async open({ asset }) {
    if (!started) {
      const bytes = await asset('voy-search/voy_search_bg.wasm')
      const { instance } = await WebAssembly.instantiate(bytes, { './voy_search_bg.js': glue })
      glue.__wbg_set_wasm(instance.exports)
      started = true
    }
    let index
    return {
      build(input) {
        const row = (i) => ({
          id: String(i),
          title: '',
          url: '',
          embeddings: Array.from(input.vectors.subarray(i * input.dimension, (i + 1) * input.dimension)),
        })
        const of = (from, to) => ({ embeddings: Array.from({ length: to - from }, (_, i) => row(from + i)) })
        index = new glue.Voy(of(0, Math.min(1000, input.rows)))
        for (let from = 1000; from < input.rows; from += 1000) index.add(of(from, Math.min(input.rows, from + 1000)))
      },
      search: (query, k) => index.search(query, k),
      rowsOf: ({ neighbors }) => neighbors.map(({ id }) => Number(id)),
      close: () => index?.free(),
    }
  },
}
