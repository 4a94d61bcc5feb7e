// @electric-sql/pglite with pgvector: Postgres in wasm, in memory. Rows are inserted by COPY from a blob, which is
// its fastest way. `<#>` is the negative inner product.
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'

/** Writes COPY's binary form, big-endian. Each row has the fields id, bucket and v (dimension, zero, floats). */
function copyOf(input, from, to) {
  const { dimension } = input
  const each = 2 + 8 + 8 + 4 + 4 + dimension * 4
  const view = new DataView(new ArrayBuffer(19 + (to - from) * each + 2))
  new Uint8Array(view.buffer).set([...'PGCOPY\n\xff\r\n\0'].map((char) => char.charCodeAt(0)))
  let at = 19
  const int = (value) => (view.setInt32(at, value), (at += 4))
  const short = (value) => (view.setInt16(at, value), (at += 2))
  for (let row = from; row < to; row++) {
    ;(short(3), int(4), int(row), int(4), int(input.buckets[row]), int(4 + dimension * 4), short(dimension), short(0))
    for (let i = row * dimension; i < (row + 1) * dimension; i++, at += 4) view.setFloat32(at, input.vectors[i])
  }
  short(-1)
  return new Blob([view.buffer])
}

const opener = (graph) => async () => {
  const db = await PGlite.create({ extensions: { vector } })
  await db.exec('CREATE EXTENSION vector')
  return {
    async build(input) {
      await db.exec(`CREATE TABLE rows (id integer PRIMARY KEY, bucket integer, v vector(${input.dimension}))`)
      // A scan is fastest if the vectors are not compressed and lie within the row.
      await db.exec('ALTER TABLE rows ALTER COLUMN v SET STORAGE PLAIN')
      for (let from = 0; from < input.rows; from += 1000) {
        await db.query("COPY rows FROM '/dev/blob' WITH (FORMAT binary)", [], {
          blob: copyOf(input, from, Math.min(input.rows, from + 1000)),
        })
      }
      if (graph) {
        await db.exec("SET maintenance_work_mem = '512MB'")
        await db.exec('CREATE INDEX ON rows USING hnsw (v vector_ip_ops) WITH (m = 16, ef_construction = 200)')
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
        : db.query('SELECT id, v <#> $1 AS distance FROM rows WHERE bucket = $3 ORDER BY distance LIMIT $2', [
            query,
            k,
            bucket,
          ]),
    rowsOf: ({ rows }) => rows.map(({ id }) => id),
    close: () => db.close(),
  }
}

export const exact = {
  index: 'none; exact',
  exact: true,
  how: 'sequential scan by <#>',
  open: opener(false),
}
export const graph = {
  index: 'HNSW, m 16, ef_construction 200',
  how: 'hnsw (vector_ip_ops), iterative scan for filters',
  knob: { name: 'hnsw.ef_search', values: [10, 16, 24, 40, 64, 100, 160, 256, 400, 640, 1000] },
  growth: 1.25,
  open: opener(true),
}
