// All engines of the bench, in the order of its tables. `file` and `adapter` name a module in adapters/. `native` names
// a build of native nidus.
const facts = (how) => ({ index: 'none; exact', exact: true, how })

export const ENGINES = [
  { id: 'wall', label: 'memory wall', file: 'wall' },
  { id: 'nidus', label: 'nidus-wasm', file: 'nidus' },
  { id: 'loop', label: 'plain loop', file: 'loop' },
  { id: 'native', label: 'nidus 0.3.0, native', native: 'default', facts: facts('Rust, default target, no wasm') },
  {
    id: 'native-cpu',
    label: 'nidus 0.3.0, native, target-cpu=native',
    native: 'native',
    facts: facts('Rust, this very processor, no wasm'),
  },
  { id: 'hnswlib-brute', label: 'hnswlib-wasm, brute force', file: 'hnswlib', adapter: 'brute' },
  { id: 'hnswlib', label: 'hnswlib-wasm, HNSW', file: 'hnswlib', adapter: 'graph' },
  { id: 'rvf', label: '@ruvector/rvf-wasm', file: 'rvf' },
  { id: 'orama', label: '@orama/orama', file: 'orama' },
  { id: 'voy', label: 'voy-search', file: 'voy' },
  { id: 'client-vector-search', label: 'client-vector-search', file: 'client-vector-search' },
  { id: 'pglite', label: 'pglite + pgvector, exact', file: 'pglite', adapter: 'exact' },
  { id: 'pglite-hnsw', label: 'pglite + pgvector, HNSW', file: 'pglite', adapter: 'graph' },
  { id: 'duckdb', label: 'duckdb-wasm', file: 'duckdb' },
]

/**
 * Selects engines for `--only`: by id, or by the beginning of an id ("native" means both). The wall is always included,
 * because everything is compared with it.
 */
export const chosen = (only) =>
  ENGINES.filter(({ id }) => id === 'wall' || !only || only.some((name) => id === name || id.startsWith(`${name}-`)))
