// Compares searches with a filter with searches without one. The cells of the grid differ in how many rows match, in
// the operator, and in how near the matching rows are to the query.
//
//   node bench/cases/filter-grid.mjs [uniform | vectors.f32] [rows] [--queries queries.f32] [--json]
import { parseArgs } from 'node:util'
import { Nidus } from '../../dist/node.js'
import { floatsOf } from '../data/files.mjs'
import { generate } from '../data/rows.mjs'
import { median } from '../data/statistics.mjs'
import { dot } from '../data/truth.mjs'
import { allCoded } from '../inside/settle.mjs'

const D = 384
const ROUNDS = 7
const SHARES = [0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 1]

function rowsOf(input, rows) {
  if (input === 'uniform') return generate('uniform', D, 0, rows)
  return floatsOf(input).subarray(0, rows * D)
}

/** Returns a query that no row equals. */
function queryOf(queries, vectors) {
  return queries
    ? floatsOf(queries).slice(0, D)
    : vectors.slice(77 * D, 78 * D).map((x, i) => x + (((i * 7919) % 13) - 6) / 200)
}

async function filters(input, rows, queries) {
  const vectors = rowsOf(input, rows)
  const query = queryOf(queries, vectors)
  const scores = Float32Array.from({ length: rows }, (_, row) => dot(vectors, row, D, query, 0))
  if (!scores.every(Number.isFinite)) throw new Error('a score is not a number')
  const byScore = Uint32Array.from({ length: rows }, (_, row) => row).sort((a, b) => scores[b] - scores[a])
  const rank = new Uint32Array(rows)
  byScore.forEach((row, at) => (rank[row] = at))
  const places = {
    none: (row) => (row * 7919 + 13) % rows,
    nearest: (row) => rank[row],
    farthest: (row) => rows - 1 - rank[row],
  }
  const db = await Nidus.open('filters', { storage: 'memory', dimension: D })
  const level = (at) => SHARES.findIndex((share) => at < share * rows)
  const attrs = Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(
      Object.entries(places).flatMap(([name, place]) => {
        const at = place(row)
        return [
          [`${name}S`, `l${level(at)}`],
          [`${name}N`, at],
          [`${name}P`, `src/${'ABCDEFG'.slice(level(at))}/file-${at}.js`],
        ]
      }),
    ),
  )
  await db.upsert('c', { ids: attrs.map((_, row) => `${row}`), vectors, attrs })
  await allCoded(async () => (await db.footprint()).codedRows, rows)
  const timed = async (filter) => {
    const start = performance.now()
    await db.search(query, filter ? { topK: 10, filter } : { topK: 10 })
    return performance.now() - start
  }
  for (let i = 0; i < 20; i++) await timed()
  const cells = []
  for (const name of Object.keys(places)) {
    for (const [n, share] of SHARES.entries()) {
      const upTo = Array.from({ length: n + 1 }, (_, i) => `l${i}`)
      const asked = {
        string:
          n === 0
            ? { [`${name}S`]: 'l0' }
            : { $not: { [`${name}S`]: { $in: SHARES.map((_, i) => `l${i}`).slice(n + 1) } } },
        range: { [`${name}N`]: { $lt: share * rows } },
        in: { [`${name}S`]: { $in: [...upTo, ...Array.from({ length: 20 }, (_, i) => `x${i}`)] } },
        glob: { [`${name}P`]: { $glob: `*${'ABCDEFG'[n]}*` } },
      }
      for (const [operator, filter] of Object.entries(asked)) {
        const first = await timed(filter)
        const count = await db.count('c', filter)
        if (Math.abs(count - share * rows) > 1) throw new Error(`${count} rows match ${JSON.stringify(filter)}`)
        await timed(filter)
        const [plain, with_] = [[], []]
        for (let round = 0; round < ROUNDS; round++) {
          plain.push(await timed())
          with_.push(await timed(filter))
        }
        const base = median(plain)
        cells.push({ correlation: name, share, operator, base, first: first / base, ratio: median(with_) / base })
      }
    }
  }
  await db.close()
  return cells
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { queries: { type: 'string' }, json: { type: 'boolean' } },
})
const [input = 'uniform', rows = '100000'] = positionals
const cells = await filters(input, Number(rows), values.queries)
if (values.json) console.log(JSON.stringify(cells))
else {
  for (const { correlation, share, operator, base, first, ratio } of cells)
    console.log(
      correlation.padEnd(9),
      `${share * 100} %`.padEnd(8),
      operator.padEnd(7),
      `plain ${base.toFixed(2)} ms, first ${first.toFixed(2)} x, then ${ratio.toFixed(2)} x`,
    )
  const [ratios, firsts] = ['ratio', 'first'].map((name) => cells.map((cell) => cell[name]))
  const text = (list) => `median ${median(list).toFixed(2)} x, most ${Math.max(...list).toFixed(2)} x`
  console.log(`${text(ratios)}; first use: ${text(firsts)}`)
}
