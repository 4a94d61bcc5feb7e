// @electric-sql/pglite with pgvector: Postgres in wasm, in memory. Rows go in as text literals, many to a statement; `<#>` is the negative inner product.
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'

const common = {
  package: '@electric-sql/pglite',
  download: {
    bundle: ['@electric-sql/pglite', '@electric-sql/pglite-pgvector'],
    files: ['pglite.wasm', 'pglite.data', 'initdb.wasm'].map((name) => `@electric-sql/pglite/dist/${name}`).concat('@electric-sql/pglite-pgvector/dist/vector.tar.gz'),
  },
}

const engine = (graph) => async () => {
  let db
  return {
    async build(input) {
      db = await PGlite.create({ extensions: { vector } })
      await db.exec(`CREATE EXTENSION vector; CREATE TABLE rows (id integer PRIMARY KEY, bucket integer, v vector(${input.dimension}))`)
      // Uncompressed and within the row: what a scan reads best.
      await db.exec('ALTER TABLE rows ALTER COLUMN v SET STORAGE PLAIN')
      for (let from = 0; from < input.rows; from += 500) {
        const literals = Array.from({ length: Math.min(500, input.rows - from) }, (_, i) => {
          const row = from + i
          return `(${row},${input.buckets[row]},'[${input.vectors.subarray(row * input.dimension, (row + 1) * input.dimension).join(',')}]')`
        })
        await db.exec(`INSERT INTO rows VALUES ${literals.join(',')}`)
      }
      if (graph) {
        await db.exec("SET maintenance_work_mem = '512MB'; CREATE INDEX ON rows USING hnsw (v vector_ip_ops) WITH (m = 16, ef_construction = 200)")
        await db.exec('SET hnsw.iterative_scan = strict_order')
      }
      await db.exec('ANALYZE rows')
      if (graph) await db.exec('SET enable_seqscan = off')
    },
    set: (ef) => db.exec(`SET hnsw.ef_search = ${ef}`),
    prepare: (query) => `[${query.join(',')}]`,
    search: (query, k, bucket) =>
      bucket === undefined
        ? db.query('SELECT id, v <#> $1 AS distance FROM rows ORDER BY distance LIMIT $2', [query, k])
        : db.query('SELECT id, v <#> $1 AS distance FROM rows WHERE bucket = $3 ORDER BY distance LIMIT $2', [query, k, bucket]),
    rowsOf: ({ rows }) => rows.map(({ id }) => id),
    close: () => db?.close(),
  }
}

export const exact = { ...common, name: 'pglite + pgvector, exact', index: 'none; exact', exact: true, how: 'sequential scan by <#>', open: engine(false) }
export const graph = {
  ...common,
  name: 'pglite + pgvector, HNSW',
  index: 'HNSW, m 16, ef_construction 200',
  how: 'hnsw (vector_ip_ops), iterative scan for filters',
  knob: { name: 'hnsw.ef_search', values: [10, 16, 24, 40, 64, 100, 160, 256, 400, 640, 1000] },
  growth: 1.25,
  open: engine(true),
}
