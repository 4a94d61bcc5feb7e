// Measures searches in a loop right after an insert: when they become as quick as with codes, how slow the slowest one
// is until then, and how late timers are.
//   node bench/after-insert.mjs [--browser chromium] [--rows 100000] [--dimension 384]
// `deno run -A` and `bun` can run it, too. There is no pass or fail. The figures depend on how busy the machine is, so
// the load is printed with them.
import os from 'node:os'
import { parseArgs } from 'node:util'

/** Returns the figures of one run. It also runs in a page, so it may use nothing from outside itself. */
async function measure({ entry, options, rows, dimension, queries }) {
  const { Nidus } = await import(entry)
  let state = 42
  const next = () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 31 - 1
  const vector = () => Float32Array.from({ length: dimension }, next)
  const db = await Nidus.open(options.name, { dimension, autoCompact: false, ...options.open })
  const each = 10_000
  for (let from = 0; from < rows; from += each) {
    const ids = Array.from({ length: Math.min(each, rows - from) }, (_, i) => `${from + i}`)
    await db.upsert(
      'c',
      { ids, vectors: Float32Array.from({ length: ids.length * dimension }, next) },
      { transfer: true },
    )
  }
  const asked = Array.from({ length: queries }, vector)
  let late = 0
  let fired = 0
  let due = performance.now() + 10
  const timer = setInterval(() => {
    fired++
    late = Math.max(late, performance.now() - due)
    due = performance.now() + 10
  }, 10)
  const began = performance.now()
  const took = []
  const at = []
  for (const query of asked) {
    const start = performance.now()
    await db.search(query)
    took.push(performance.now() - start)
    at.push(performance.now() - began)
  }
  const total = performance.now() - began
  late = Math.max(late, performance.now() - due)
  clearInterval(timer)
  await db.close()
  // The first search goes through all rows. There are no codes yet that make it faster, and no work on codes that slows
  // it down.
  const scan = took[0]
  const median = (of) => [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)]
  const coded = median(took.slice(-Math.ceil(queries / 10)))
  // The next eight searches count, too, because a single search may be quick by chance.
  const reached = took.findIndex((_, i) => median(took.slice(i, i + 9)) <= 2 * coded)
  const slowest = Math.max(...took.slice(0, Math.max(1, reached)))
  const round = (x) => Math.round(x * 100) / 100
  return {
    rows,
    dimension,
    queries,
    scanMs: round(scan),
    codedMs: round(coded),
    reachedQuery: reached,
    reachedSeconds: round(at[reached] / 1000),
    slowestMs: round(slowest),
    slowestOverScan: round(slowest / scan),
    timersFired: fired,
    timerLateMs: round(late),
    totalSeconds: round(total / 1000),
  }
}

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    browser: { type: 'string' },
    rows: { type: 'string', default: '100000' },
    dimension: { type: 'string', default: '384' },
    queries: { type: 'string', default: '600' },
  },
})
const size = { rows: Number(values.rows), dimension: Number(values.dimension), queries: Number(values.queries) }
const load = () => os.loadavg().map((x) => Math.round(x * 10) / 10)
const before = load()
let where
let result
if (values.browser) {
  const { browser, site, visit } = await import('../pkg-tests/tabs/pages.mjs')
  where = values.browser
  const place = await site()
  const machine = await browser(values.browser)
  try {
    const page = await visit(machine.context, place.url)
    result = await page.evaluate(measure, {
      entry: '/dist/browser.js',
      options: { name: 'after insert', open: {} },
      ...size,
    })
  } finally {
    await machine.close()
    await place.close()
  }
} else {
  where = globalThis.Deno ? 'Deno' : globalThis.Bun ? 'Bun' : `Node ${process.version}`
  result = await measure({
    entry: new URL('../dist/node.js', import.meta.url).href,
    options: { name: 'after insert', open: { storage: 'memory' } },
    ...size,
  })
}
console.log(JSON.stringify({ where, ...result, load: { before, after: load() } }))
process.exit(0)
