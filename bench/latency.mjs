// Measures how long a search takes from a page, there and back, in the tab that runs the store and in another tab:
// searches in a row, and searches after a pause. Beside it: the time of the engine alone, and an empty message there
// and back, to a worker and by it to the worker of the other tab.
//   node bench/latency.mjs [--browser chromium] [--rows 1000] [--dimension 384]
// There is no pass or fail: the figures depend on how busy the machine is.
import { parseArgs } from 'node:util'
import { browser, site, visit } from '../pkg-tests/tabs/pages.mjs'
import { say } from '../scripts/lib.mjs'
import { percentile } from './data/statistics.mjs'

/** A worker that answers at once, or lets the worker of the other tab answer. */
const WORKER = `const channel = new BroadcastChannel('latency')
onmessage = ({ data }) => (data === 'far' ? channel.postMessage('far') : postMessage(0))
channel.onmessage = ({ data }) => (data === 'far' ? channel.postMessage(0) : postMessage(0))`

/** Opens the store, starts such a worker and inserts `rows`, if there are any. This and `measure` run in a page. */
async function open({ rows, dimension, script }) {
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
  const worker = new Worker(url)
  globalThis.message = (where) =>
    new Promise((resolve) => {
      worker.onmessage = resolve
      worker.postMessage(where)
    })
  const { Nidus } = await import('/dist/browser.js')
  globalThis.db = await Nidus.open('latency', { dimension })
  if (!rows) return
  const vectors = Float32Array.from({ length: rows * dimension }, () => Math.random() - 0.5)
  await globalThis.db.upsert('c', { ids: Array.from({ length: rows }, (_, i) => `${i}`), vectors })
}

/** Returns the milliseconds of each search and of each empty message. */
async function measure({ dimension, row, paused }) {
  const { db, message } = globalThis
  const vector = () => Float32Array.from({ length: dimension }, () => Math.random() - 0.5)
  const timed = async (work) => {
    const began = performance.now()
    const result = await work()
    return [performance.now() - began, result]
  }
  const pause = () => new Promise((resolve) => setTimeout(resolve, 60))
  const seen = { row: [], paused: [], engine: [], near: [], nearPaused: [], far: [], farPaused: [] }
  for (let i = 0; i < 50; i++) await Promise.all([db.search(vector()), message('near')])
  for (let i = 0; i < row; i++) {
    const query = vector()
    const [ms, hits] = await timed(() => db.search(query))
    seen.row.push(ms)
    seen.engine.push(hits.took)
  }
  for (const where of ['near', 'far'])
    for (let i = 0; i < row; i++) seen[where].push((await timed(() => message(where)))[0])
  for (let i = 0; i < paused; i++) {
    const query = vector()
    await pause()
    seen.paused.push((await timed(() => db.search(query)))[0])
    for (const where of ['near', 'far']) {
      await pause()
      seen[`${where}Paused`].push((await timed(() => message(where)))[0])
    }
  }
  return seen
}

const { values } = parseArgs({
  options: {
    browser: { type: 'string', default: 'chromium' },
    rows: { type: 'string', default: '1000' },
    dimension: { type: 'string', default: '384' },
  },
})
const [rows, dimension] = [Number(values.rows), Number(values.dimension)]
const both = (of) => [0.5, 0.95].map((share) => percentile(of, share).toFixed(2)).join(' (95 %: ') + ')'

const place = await site()
const machine = await browser(values.browser)
try {
  const first = await visit(machine.context, place.url)
  await first.evaluate(open, { rows, dimension, script: WORKER })
  const second = await visit(machine.context, place.url)
  await second.evaluate(open, { rows: 0, dimension, script: WORKER })
  const pages = { 'the tab that runs the store': first, 'another tab': second }
  for (const [name, page] of Object.entries(pages)) {
    await page.bringToFront()
    const seen = await page.evaluate(measure, { dimension, row: 500, paused: 60 })
    say(
      `${values.browser}, ${rows} rows, ${name}, milliseconds: in a row ${both(seen.row)}, after 60 ms of pause ` +
        `${both(seen.paused)}; the engine ${both(seen.engine)}; an empty message to a worker and back ` +
        `${both(seen.near)}, after a pause ${both(seen.nearPaused)}; and by it to the worker of the other tab ` +
        `${both(seen.far)}, after a pause ${both(seen.farPaused)}`,
    )
  }
} finally {
  await machine.close()
  await place.close()
}
