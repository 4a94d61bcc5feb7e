// duckdb-wasm in its blocking build, so that no message is needed for a query. Rows are inserted as Arrow tables, and
// the vectors become one FLOAT[n] column.
import * as duckdb from '@duckdb/duckdb-wasm/blocking'
import {
  FixedSizeList,
  Field,
  Float32,
  Int32,
  Table,
  RecordBatch,
  Schema,
  Struct,
  makeData,
  tableToIPC,
} from 'apache-arrow'

export default {
  index: 'none; exact',
  exact: true,
  how: 'FLOAT[n] column, ORDER BY array_cosine_similarity DESC, prepared statement',
  async open({ runtime, locate }) {
    const bundle = { mainModule: locate('@duckdb/duckdb-wasm/dist/duckdb-eh.wasm'), mainWorker: '' }
    const bundles = { mvp: { ...bundle, mainModule: locate('@duckdb/duckdb-wasm/dist/duckdb-mvp.wasm') }, eh: bundle }
    const db = await duckdb.createDuckDB(
      bundles,
      new duckdb.VoidLogger(),
      runtime === 'node' ? duckdb.NODE_RUNTIME : duckdb.BROWSER_RUNTIME,
    )
    await db.instantiate(() => {})
    db.open({ path: ':memory:' })
    const connection = db.connect()
    let all, some
    return {
      build(input) {
        connection.query('DROP TABLE IF EXISTS rows')
        connection.query(`CREATE TABLE rows (id INTEGER, bucket INTEGER, v FLOAT[${input.dimension}])`)
        const list = new FixedSizeList(input.dimension, new Field('item', new Float32(), true))
        const schema = new Schema([
          new Field('id', new Int32(), true),
          new Field('bucket', new Int32(), true),
          new Field('v', list, true),
        ])
        for (let from = 0; from < input.rows; from += 10_000) {
          const length = Math.min(10_000, input.rows - from)
          const values = makeData({
            type: new Float32(),
            length: length * input.dimension,
            data: input.vectors.slice(from * input.dimension, (from + length) * input.dimension),
          })
          const ints = (numbers) => makeData({ type: new Int32(), length, data: numbers })
          const children = [
            ints(Int32Array.from({ length }, (_, i) => from + i)),
            ints(Int32Array.from(input.buckets.subarray(from, from + length))),
            makeData({ type: list, length, nullCount: 0, child: values }),
          ]
          const table = new Table(
            schema,
            new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children })),
          )
          connection.insertArrowFromIPCStream(tableToIPC(table, 'stream'), { name: 'rows', create: false })
        }
        // The query is a table of one row. In any other form duckdb casts its text once for each vector, which takes
        // twice the time.
        const statement = (where) =>
          connection.prepare(
            `WITH q AS MATERIALIZED (SELECT ?::VARCHAR::FLOAT[${input.dimension}] AS q)
            SELECT id FROM rows, q ${where} ORDER BY array_cosine_similarity(v, q) DESC LIMIT ?`,
          )
        all = statement('')
        some = statement('WHERE bucket = ?')
      },
      // A bound parameter cannot be a list here, so the query is text.
      prepare: (query) => `[${query.join(',')}]`,
      search: (query, k, bucket) => (bucket === undefined ? all.query(query, k) : some.query(query, bucket, k)),
      rowsOf: (table) => Array.from(table.getChild('id')),
      close() {
        all.close()
        some.close()
      },
    }
  },
}
