// Measures searches in WordNet for words, and for words and vectors together: how well they find the sense that is
// meant, and how quick they are. Also how quick other packages are with the same texts.
// node bench/words.mjs [--data DIR] [--rows 117791] [--out FILE.json] [--only evaluate,shapes,peers]
// DIR is a folder with WordNet's senses, their vectors and questions, or `wordnet` (default): bench/README.md says how
// that one is made.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { say, writeFile } from '../scripts/lib.mjs'
import { valuesOf } from './data/halves.mjs'
import { typed } from './data/typed.mjs'
import { makeWordnet } from './data/wordnet/make.mjs'
import { install, runFacts } from './setup.mjs'
import { wordPeers } from './peers/words.mjs'

const DIMENSION = 384
/** By name, the settings of texts: two attributes as two fields, or one attribute that has both texts. */
const TEXTS = { 'two fields': { words: {}, gloss: {} }, 'one field': { text: {} } }

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'wordnet' },
    rows: { type: 'string', default: '117791' },
    out: { type: 'string' },
    only: { type: 'string', default: 'evaluate,shapes,peers' },
  },
})
const wanted = values.only.split(',')
const dir = values.data === 'wordnet' ? await makeWordnet() : values.data

const read = (name) => readFileSync(join(dir, name))

function load(rows) {
  const records = read('records.jsonl').toString().trim().split('\n').slice(0, rows).map(JSON.parse)
  const halves = typed(Uint16Array, read('vectors.f16')).subarray(0, records.length * DIMENSION)
  return { records, vectors: valuesOf(halves) }
}

function questions() {
  const all = (name, vectors, kind) => {
    const numbers = typed(Float32Array, read(vectors))
    return JSON.parse(read(name).toString()).map((question, i) => ({
      kind,
      ...question,
      text: question.text ?? question.question,
      vector: numbers.slice(i * DIMENSION, (i + 1) * DIMENSION),
    }))
  }
  return [
    ...all('questions.json', 'queries.f32', 'descriptions'),
    ...all('more-questions.json', 'more-queries.f32', undefined),
  ]
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]

/**
 * Makes calls one after the other. Returns the time of a call in milliseconds: the median, the 99th percentile, and
 * that of the first call.
 */
async function timed(count, work) {
  const times = []
  for (let i = 0; i < count; i++) {
    const began = performance.now()
    await work(i)
    times.push(performance.now() - began)
  }
  const [first] = times
  times.sort((a, b) => a - b)
  return { p50: at(times, 0.5), p99: at(times, 0.99), first }
}

const isMeant = ({ ids, word, answer, meant }, { id, attrs }) =>
  ids
    ? ids.includes(id)
    : attrs.words.split(', ').some((one) => one.toLowerCase() === (word ?? answer ?? meant).toLowerCase())

async function evaluate(db, asked) {
  const legs = {
    vector: [({ vector }) => vector, {}],
    words: [({ text }) => ({ text }), {}],
    'both, the default': [({ text, vector }) => ({ text, vector }), {}],
    'both, { text: 0.3 }': [({ text, vector }) => ({ text, vector }), { fusion: { text: 0.3 } }],
    'both, { text: 0.5 }': [({ text, vector }) => ({ text, vector }), { fusion: { text: 0.5 } }],
    "both, 'rrf'": [({ text, vector }) => ({ text, vector }), { fusion: 'rrf' }],
  }
  const found = {}
  for (const [leg, [query, options]] of Object.entries(legs)) {
    const kinds = new Map()
    const time = await timed(asked.length, async (i) => {
      const hits = await db.search(query(asked[i]), { topK: 10, ...options })
      const rank = hits.findIndex((hit) => isMeant(asked[i], hit))
      const kind = kinds.get(asked[i].kind) ?? []
      kinds.set(asked[i].kind, kind)
      kind.push(rank < 0 ? 0 : 1 / (rank + 1))
    })
    const mean = (all) => all.reduce((sum, one) => sum + one, 0) / all.length
    found[leg] = {
      ...Object.fromEntries([...kinds].map(([kind, all]) => [kind, mean(all)])),
      all: mean([...kinds.values()].map(mean)),
      ...time,
    }
    say(`  ${leg.padEnd(22)} ${JSON.stringify(found[leg], (_, x) => (typeof x === 'number' ? +x.toFixed(3) : x))}`)
  }
  return found
}

function attrsOf({ words, gloss, pos, uses = 0 }) {
  const all = words.join(', ')
  return { words: all, gloss, text: `${all}: ${gloss}`, pos, uses }
}

async function shapes(db, { records, vectors }) {
  const query = (i) =>
    vectors.subarray(((i * 331) % records.length) * DIMENSION, (((i * 331) % records.length) + 1) * DIMENSION)
  const some = (i) => records.slice(i * 1000, (i + 1) * 1000)
  const calls = {
    'vector alone': (i) => db.search(query(i)),
    offset: (i) => db.search(query(i), { offset: 10 }),
    groupBy: (i) => db.search(query(i), { groupBy: 'pos' }),
    facets: (i) => db.search(query(i), { facets: { pos: {} } }),
    similar: (i) => db.similar('senses', records[i].id),
    'list by id': () => db.list('senses', { limit: 20 }),
    'list by a number': () => db.list('senses', { limit: 20, orderBy: { uses: 'desc' } }),
    'upsert of 1,000': (i) =>
      db.upsert('other', {
        ids: some(i).map(({ id }) => id),
        vectors: vectors.subarray(i * 1000 * DIMENSION, (i + 1) * 1000 * DIMENSION),
        attrs: some(i).map(({ uses = 0 }) => ({ uses })),
      }),
    'upsert of 1,000 with texts': (i) =>
      db.upsert('senses', {
        ids: some(i).map(({ id }) => id),
        vectors: vectors.subarray(i * 1000 * DIMENSION, (i + 1) * 1000 * DIMENSION),
        attrs: some(i).map(attrsOf),
      }),
    'update of 1,000': (i) =>
      db.update(
        'senses',
        some(i).map(({ id }) => ({ id, attrs: { seen: i } })),
      ),
  }
  const found = {}
  for (const [name, call] of Object.entries(calls)) {
    found[name] = await timed(/1,000/.test(name) ? 10 : 60, call)
    say(
      `  ${name.padEnd(28)} p50 ${found[name].p50.toFixed(2)} ms, p99 ${found[name].p99.toFixed(2)} ms, ` +
        `first ${found[name].first.toFixed(1)} ms`,
    )
  }
  return found
}

async function nidus({ records, vectors }) {
  const { Nidus } = await import('../dist/node.js')
  const db = await Nidus.open('words', { storage: 'memory', dimension: DIMENSION })
  for (let from = 0; from < records.length; from += 4000) {
    const some = records.slice(from, from + 4000)
    await db.upsert('senses', {
      ids: some.map(({ id }) => id),
      vectors: vectors.slice(from * DIMENSION, (from + some.length) * DIMENSION),
      attrs: some.map(attrsOf),
    })
  }
  const began = performance.now()
  await db.setText('senses', TEXTS['two fields'])
  const build = performance.now() - began
  while ((await db.footprint()).codedRows < records.length * 0.98) await new Promise((next) => setTimeout(next, 50))
  return { db, build }
}

say(`reading ${dir}`)
const data = load(Number(values.rows))
const asked = questions().filter(({ ids }) => data.records.length === 117791 || ids)
const results = { rows: data.records.length }
const { db, build } = await nidus(data)
const { text } = await db.footprint()
results.index = { build, bytes: text.bytes, terms: text.terms }
say(`nidus-wasm: the index takes ${build.toFixed(0)} ms and ${(text.bytes / 2 ** 20).toFixed(1)} MiB`)
if (wanted.includes('evaluate')) {
  results.evaluation = {}
  for (const [name, settings] of Object.entries(TEXTS)) {
    say(name)
    await db.setText('senses', settings)
    results.evaluation[name] = await evaluate(db, asked)
  }
  await db.setText('senses', TEXTS['two fields'])
}
if (wanted.includes('shapes')) results.shapes = await shapes(db, data)
if (wanted.includes('peers')) {
  const texts = asked.map((question) => question.text)
  await install({ peers: true })
  results.peers = {
    'nidus-wasm': { build, bytes: text.bytes, ...(await timed(texts.length, (i) => db.search({ text: texts[i] }))) },
  }
  await db.close()
  for (const [name, open] of Object.entries(wordPeers)) {
    try {
      globalThis.gc?.()
      const before = process.memoryUsage()
      const started = performance.now()
      const search = await open(data.records.map(({ id, words, gloss }) => ({ id, words: words.join(', '), gloss })))
      const took = performance.now() - started
      globalThis.gc?.()
      const after = process.memoryUsage()
      const bytes = after.heapUsed + after.external - before.heapUsed - before.external
      results.peers[name] = { build: took, bytes, ...(await timed(texts.length, (i) => search(texts[i]))) }
    } catch (error) {
      results.peers[name] = { failed: error.message }
    }
    say(`  ${name.padEnd(22)} ${JSON.stringify(results.peers[name])}`)
  }
} else await db.close()
results.facts = runFacts({ quick: false, rounds: 1 })
if (values.out) writeFile(values.out, `${JSON.stringify(results, null, 2)}\n`)
