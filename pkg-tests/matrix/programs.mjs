// The programs and pages that the cells write into their projects.

export const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./page.js"></script>'
const optionsOf = (options) => {
  if (!options) return ''
  return options.startsWith('import') ? ', { wasm, worker }' : `, ${options}`
}
export const inPage = (entry, options = '') => `import { Nidus } from '${entry}'
import { check } from './check.js'
${options.startsWith('import') ? options : ''}
const checked = check(Nidus, 'matrix'${optionsOf(options)})
checked.then(
  (found) => (document.title = found),
  (error) => (document.title = 'failed: ' + error.code + ' ' + error.message),
)
`

/** A component with both hooks over an index of texts. It shows what `check.js` does. */
const COMPONENT = `const open = async (name) => {
  const index = await TextIndex.open(name)
  await index.add([{ id: 'a', text: 'The roof leaks.' }, { id: 'b', text: 'EACCES: permission denied' }])
  return index
}
function Found() {
  const { store, error } = useNidus('hooks', { open })
  const { hits, status, error: failed } = useSearch(store, 'eacces')
  useEffect(() => {
    const why = error ?? failed
    if (why) document.title = 'failed: ' + why.code + ' ' + why.message
    if (status !== 'done') return
    const [hit] = hits
    store.state().then(({ documents }) => {
      const word = hit && hit.passage.matches.length > 0 ? 'w' : 'no word'
      document.title = [hit?.id, documents, store.db.storage].join(' ') + ', ' + word
    })
  }, [store, error, hits, status, failed])
  return null
}
`
const HOOKS = `import { TextIndex } from 'nidus-wasm/text'
import { useNidus, useSearch } from 'nidus-wasm/react'
`
export const REACT = `import { createElement, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
${HOOKS}${COMPONENT}createRoot(document.body).render(createElement(Found))
`
export const NEXT_HOOKS = `'use client'
import { useEffect } from 'react'
${HOOKS}${COMPONENT}export default Found
`

export const script = (storage) => `import { Nidus } from 'nidus-wasm'
import { check } from './check.js'
console.log(await check(Nidus, './store'${storage ? `, { storage: '${storage}' }` : ''}))
`

export const PACKER = `IMPORT
const output = { path: process.cwd() + '/dist', filename: 'page.js', publicPath: 'auto', module: false }
pack({ mode: 'production', entry: './page.js', output }, (error, stats) => {
  if (!error && !stats.hasErrors()) return
  console.error(error ?? stats.toString({ all: false, errors: true }))
  process.exit(1)
})
`
export const SLIM_VITE =
  `import wasm from 'nidus-wasm/nidus.wasm?url'\nimport NidusWorker from ` +
  `'nidus-wasm/worker?worker'\nconst worker = () => new NidusWorker()`

export const CLOUDFLARE = `import { DurableObject } from 'cloudflare:workers'
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { check } from './check.js'
export class Notes extends DurableObject {
  async fetch() { return new Response(await check(Nidus, 'matrix', { storage: durableObject(this.ctx.storage) })) }
}
export default { fetch: (request, env) => env.NOTES.get(env.NOTES.idFromName('all')).fetch(request) }
`

/** Options of Miniflare for what wrangler wrote to `out`. */
export const MINIFLARE = `  modules: true,
  scriptPath: 'out/index.js',
  modulesRoot: 'out',
  modulesRules: [
    { type: 'ESModule', include: ['**/*.js'] },
    { type: 'CompiledWasm', include: ['**/*.wasm'] },
  ],
  compatibilityDate: '2026-07-01',
  cf: false,
`

export const STATIC_WORKER = `import { Nidus } from 'nidus-wasm'
export const opened = {}
export default {
  async fetch(request, { BUCKET }) {
    const { memory, query } = await request.json()
    try {
      const source = { bucket: BUCKET, data: 'index/data', log: 'index/log' }
      const db = await (opened[memory] ??= Nidus.fromStatic(source, { memory }))
      return Response.json(await db.search(Float32Array.from(query)))
    } catch (error) {
      return Response.json(error.code ?? String(error))
    }
  },
}
`
export const STATIC_SERVER = `import { readFileSync } from 'node:fs'
import { Miniflare } from 'miniflare'
import { Nidus } from 'nidus-wasm'
const D = 64, ROWS = 12000
const db = await Nidus.open('store', { dimension: D })
let state = 1
const next = () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5
await db.upsert('c', {
  ids: Array.from({ length: ROWS }, (_, i) => 'd' + i),
  vectors: Float32Array.from({ length: ROWS * D }, next),
  attrs: Array.from({ length: ROWS }, (_, n) => ({ n })),
})
const query = Array.from({ length: D }, next)
const truth = JSON.stringify(await db.search(Float32Array.from(query)))
await db.close()
const server = new Miniflare({
${MINIFLARE}  r2Buckets: ['BUCKET'],
})
const bucket = await server.getR2Bucket('BUCKET')
for (const name of ['data', 'log']) await bucket.put('index/' + name, readFileSync('store/' + name))
const ask = async (memory, query) => {
  const body = JSON.stringify({ memory, query })
  return (await server.dispatchFetch('http://localhost/', { method: 'POST', body })).text()
}
const found = [await ask('full', query), await ask('compact', query)]
const answers = found.map((text) => (text === truth ? 'same' : text))
await bucket.put('index/data', readFileSync('store/data').fill(1, 5000, 6000))
for (let i = 0; i < 50 && answers.length < 3; i++) {
  const answer = await ask('compact', Array.from({ length: D }, next))
  if (!answer.startsWith('[')) answers.push(JSON.parse(answer))
}
console.log(answers.join(' '))
await server.dispose()
`
