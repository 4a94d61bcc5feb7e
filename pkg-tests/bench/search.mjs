// Exact search beside a plain JavaScript loop, in one process: `node pkg-tests/bench/search.mjs [rows ...]`.
// Uniform random rows (seeded), 384 dimensions, top 10, p50 and p95 over queries that alternate between the two.
import { Nidus } from 'nidus-wasm'

const DIMENSION = 384
const QUERIES = 60

function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296 - 0.5
  }
}

function unit(vector) {
  let sum = 0
  for (const x of vector) sum += x * x
  const scale = 1 / Math.sqrt(sum)
  return vector.map((x) => x * scale)
}

/** What people write by hand: four accumulators, a sorted list of the best ten. */
function plainLoop(rows, count, query, k) {
  const best = []
  for (let row = 0; row < count; row++) {
    const at = row * DIMENSION
    let a = 0, b = 0, c = 0, d = 0
    for (let i = 0; i < DIMENSION; i += 4) {
      a += rows[at + i] * query[i]
      b += rows[at + i + 1] * query[i + 1]
      c += rows[at + i + 2] * query[i + 2]
      d += rows[at + i + 3] * query[i + 3]
    }
    const score = a + b + (c + d)
    if (best.length < k || score > best[best.length - 1].score) {
      let place = best.length
      while (place > 0 && best[place - 1].score < score) place--
      best.splice(place, 0, { row, score })
      if (best.length > k) best.pop()
    }
  }
  return best
}

const percentile = (times, p) => [...times].sort((x, y) => x - y)[Math.floor((times.length - 1) * p)]

async function measure(count) {
  const next = random(count)
  const rows = new Float32Array(count * DIMENSION)
  for (let row = 0; row < count; row++) rows.set(unit(Float32Array.from({ length: DIMENSION }, next)), row * DIMENSION)
  const db = await Nidus.open('bench', { storage: 'memory', dimension: DIMENSION })
  const started = performance.now()
  for (let at = 0; at < count; at += 1000) {
    const ids = Array.from({ length: Math.min(1000, count - at) }, (_, i) => String(at + i))
    await db.upsert('rows', { ids, vectors: rows.subarray(at * DIMENSION, (at + ids.length) * DIMENSION) })
  }
  const insert = performance.now() - started
  const times = { nidus: [], plain: [] }
  for (let n = 0; n < QUERIES + 15; n++) {
    const query = unit(Float32Array.from({ length: DIMENSION }, next))
    const t0 = performance.now()
    const hits = await db.search(query, { topK: 10 })
    const t1 = performance.now()
    const best = plainLoop(rows, count, query, 10)
    const t2 = performance.now()
    if (hits.some((hit, i) => Math.abs(hit.score - best[i].score) > 1e-5)) throw new Error('the two disagree')
    if (n < 15) continue // the engines' first tiers
    times.nidus.push(t1 - t0)
    times.plain.push(t2 - t1)
  }
  await db.close()
  const p = (name, at) => percentile(times[name], at).toFixed(2)
  const ratio = percentile(times.plain, 0.5) / percentile(times.nidus, 0.5)
  return `| ${count} | ${p('nidus', 0.5)} | ${p('nidus', 0.95)} | ${p('plain', 0.5)} | ${p('plain', 0.95)} | ${ratio.toFixed(1)} | ${insert.toFixed(0)} |`
}

console.log('| rows | nidus-wasm p50 ms | p95 | plain loop p50 ms | p95 | ratio | insert ms |\n| --- | --- | --- | --- | --- | --- | --- |')
const sizes = process.argv.slice(2).map(Number)
for (const count of sizes.length > 0 ? sizes : [1000, 20_000, 100_000]) console.log(await measure(count))
