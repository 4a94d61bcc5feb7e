// hnswlib-wasm: its brute force and its graph. Rows have unit length, so the inner product is the cosine. Each call
// adds one point as a typed array, which is its fastest way: addItems takes an array of arrays and copies each number
// separately.
import factory from 'hnswlib-wasm/dist/hnswlib-317962d7.js'

/**
 * Loads the module itself. The loader around it mounts a file system in IndexedDB, which is not needed here. The module
 * looks for `window`, so Node and workers get one.
 */
async function load() {
  globalThis.window ??= globalThis
  return factory()
}

function opener(make, ...more) {
  return async () => {
    const lib = await load()
    let index, buckets
    return {
      build(input) {
        index = make(lib, input)
        buckets = input.buckets.slice()
        for (let row = 0; row < input.rows; row++)
          index.addPoint(input.vectors.subarray(row * input.dimension, (row + 1) * input.dimension), row, ...more)
      },
      set: (ef) => index.setEfSearch(ef),
      search: (query, k, bucket) =>
        index.searchKnn(query, k, bucket === undefined ? undefined : (label) => buckets[label] === bucket),
      rowsOf: ({ neighbors }) => neighbors,
      close: () => index?.delete?.(),
    }
  }
}

export const brute = {
  index: 'none; exact',
  exact: true,
  how: 'BruteforceSearch, ip; filter by callback',
  open: opener((lib, input) => {
    const index = new lib.BruteforceSearch('ip', input.dimension)
    index.initIndex(input.rows)
    return index
  }),
}

export const graph = {
  index: 'HNSW, M 16, efConstruction 200',
  how: 'HierarchicalNSW, ip; filter by callback',
  knob: {
    name: 'ef',
    values: [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192],
  },
  growth: 1.25,
  open: opener((lib, input) => {
    const index = new lib.HierarchicalNSW('ip', input.dimension, '')
    index.initIndex(input.rows, 16, 200, 100)
    return index
  }, false),
}
