// Measures `useSearch` as somebody types: from each letter to the frame with its hits, above the time of the engine, and
// how often the component is rendered. The store has real rows, in OPFS, in Chromium. A model is not part of it.
// node bench/typing.mjs [--data DIR] [--rows 20000]
// DIR is as in `words.mjs`. There is no pass or fail: the figures depend on how busy the machine is.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { chromium } from 'playwright'
import * as browsers from '../scripts/browsers.mjs'
import { at, say } from '../scripts/lib.mjs'
import { valuesOf } from './data/halves.mjs'
import { median, percentile } from './data/statistics.mjs'
import { typed } from './data/typed.mjs'
import { makeWordnet } from './data/wordnet/make.mjs'

const { values } = parseArgs({
  options: { data: { type: 'string', default: 'wordnet' }, rows: { type: 'string', default: '20000' } },
})
const dir = values.data === 'wordnet' ? await makeWordnet() : values.data
const count = Number(values.rows)
const read = (name) => readFileSync(join(dir, name))
const records = read('records.jsonl').toString().trim().split('\n').map(JSON.parse)
// Every so many rows, so that all parts of the dictionary are there.
const step = Math.max(1, Math.floor(records.length / count))
const chosen = Array.from({ length: Math.min(count, records.length) }, (_, i) => i * step)
const halves = typed(Uint16Array, read('vectors.f16'))
const vectors = Float32Array.from(chosen.flatMap((i) => [...valuesOf(halves.subarray(i * 384, (i + 1) * 384))]))
const texts = chosen.map((i) => `${records[i].words.join(', ')}: ${records[i].gloss}`)
const questions = JSON.parse(read('questions.json')).map(({ question }) => question)

const { outputFiles } = await build({
  entryPoints: [at('bench/inside/typing.jsx')],
  bundle: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  logLevel: 'error',
  external: ['nidus-wasm'],
  nodePaths: [at('node_modules')],
  define: { 'process.env.NODE_ENV': '"production"' },
})
const MADE = {
  '/': ['text/html', '<script type="importmap">{"imports":{"nidus-wasm":"/dist/browser.js"}}</script>'],
  '/typing.js': ['text/javascript', outputFiles[0].text],
  '/vectors': ['application/octet-stream', Buffer.from(vectors.buffer)],
  '/questions': ['application/octet-stream', read('queries.f32')],
}
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' }
const server = createServer(({ url }, response) => {
  const [type, body] = MADE[url] ?? [TYPES[extname(url)], /^\/dist\/[\w.-]+$/.test(url) && readFileSync(at(url))]
  response.writeHead(body ? 200 : 404, { 'content-type': type ?? 'text/plain' }).end(body || '')
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${server.address().port}/`

const browser = await chromium.launch(browsers.chromium)
const context = await browser.newContext()
const page = await context.newPage()
await page.goto(origin)
await page.evaluate(
  async ([texts, count]) => (await import('/typing.js')).fill({ texts, count }),
  [texts, chosen.length],
)

async function type(by) {
  await page.goto(origin)
  await page.evaluate(
    async ([questions, by]) => (await import('/typing.js')).show({ questions, by }),
    [questions.length, by],
  )
  await page.locator('#status', { hasText: 'open' }).waitFor()
  const box = page.locator('#box')
  for (const question of questions.slice(0, 12)) {
    await box.fill('')
    for (const letter of question.slice(0, 24)) {
      await box.press(letter === ' ' ? 'Space' : letter)
      await page.waitForFunction(
        () => globalThis.keys.at(-1).painted !== undefined || !document.querySelector('#box').value,
      )
    }
  }
  return page.evaluate(() => globalThis.keys.filter(({ painted }) => painted !== undefined))
}

await type('useSearch') // the first run warms up
for (const by of ['nothing', 'hand', 'useSearch']) {
  const keys = await type(by)
  const both = (of) => [0.5, 0.95].map((share) => percentile(of, share).toFixed(1)).join(' and ')
  const took = median(keys.map(({ took }) => took)).toFixed(2)
  const renders = keys.map(({ renders }) => renders)
  say(
    `${by}: ${keys.length} letters over ${chosen.length} rows; median and 95 % of the milliseconds without the engine, ` +
      `from the letter to the rendered hits ${both(keys.map(({ ready, took }) => ready - took))}, to the painted frame ` +
      `${both(keys.map(({ painted, took }) => painted - took))}; the engine ${took}; renders for a letter ` +
      `${median(renders)}, more than two for ${renders.filter((each) => each > 2).length}`,
  )
}
await browser.close()
server.close()
