// All peers, in the order of the tables. `file` and `adapter` name a module in this folder and its export. `native`
// names a build of native nidus. `package` is the npm package to install, and `download` says what a page loads of it.
const exactNative = (how) => ({ index: 'none; exact', exact: true, how })
const hnswlib = {
  file: 'hnswlib',
  package: 'hnswlib-wasm',
  download: { bundle: ['hnswlib-wasm/dist/hnswlib-317962d7.js'] },
}
const pglite = {
  file: 'pglite',
  package: '@electric-sql/pglite',
  download: {
    bundle: ['@electric-sql/pglite', '@electric-sql/pglite-pgvector'],
    files: [
      '@electric-sql/pglite/dist/pglite.wasm',
      '@electric-sql/pglite/dist/pglite.data',
      '@electric-sql/pglite/dist/initdb.wasm',
      '@electric-sql/pglite-pgvector/dist/vector.tar.gz',
    ],
  },
}

export const PEERS = [
  { id: 'wall', label: 'memory wall', file: 'wall' },
  { id: 'nidus', label: 'nidus-wasm', file: 'nidus' },
  { id: 'loop', label: 'plain loop', file: 'loop' },
  {
    id: 'native',
    label: 'nidus 0.3.0, native',
    native: 'default',
    facts: exactNative('Rust, default target, no wasm'),
  },
  {
    id: 'native-cpu',
    label: 'nidus 0.3.0, native, target-cpu=native',
    native: 'native',
    facts: exactNative('Rust, compiled for the processor of this machine, no wasm'),
  },
  { id: 'hnswlib-brute', label: 'hnswlib-wasm, brute force', adapter: 'brute', ...hnswlib },
  { id: 'hnswlib', label: 'hnswlib-wasm, HNSW', adapter: 'graph', ...hnswlib },
  {
    id: 'rvf',
    label: '@ruvector/rvf-wasm',
    file: 'rvf',
    package: '@ruvector/rvf-wasm',
    download: { bundle: ['@ruvector/rvf-wasm'], files: ['@ruvector/rvf-wasm/pkg/rvf_wasm_bg.wasm'] },
  },
  {
    id: 'orama',
    label: '@orama/orama',
    file: 'orama',
    package: '@orama/orama',
    download: { bundle: ['@orama/orama'] },
  },
  {
    id: 'voy',
    label: 'voy-search',
    file: 'voy',
    package: 'voy-search',
    download: { bundle: ['voy-search/voy_search_bg.js'], files: ['voy-search/voy_search_bg.wasm'] },
  },
  {
    id: 'client-vector-search',
    label: 'client-vector-search',
    file: 'client-vector-search',
    package: 'client-vector-search',
    download: { bundle: ['client-vector-search'] },
  },
  { id: 'pglite', label: 'pglite + pgvector, exact', adapter: 'exact', ...pglite },
  { id: 'pglite-hnsw', label: 'pglite + pgvector, HNSW', adapter: 'graph', ...pglite },
  {
    id: 'duckdb',
    label: 'duckdb-wasm',
    file: 'duckdb',
    package: '@duckdb/duckdb-wasm',
    download: {
      bundle: ['@duckdb/duckdb-wasm'],
      files: ['@duckdb/duckdb-wasm/dist/duckdb-eh.wasm', '@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js'],
    },
  },
]

/**
 * Selects peers for `--only`: by id, or by the beginning of an id ("native" means both). The wall is always included,
 * because everything is compared with it.
 */
export const chosen = (only) =>
  PEERS.filter(({ id }) => id === 'wall' || !only || only.some((name) => id === name || id.startsWith(`${name}-`)))
