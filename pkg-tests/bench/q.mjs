import { readFileSync } from 'node:fs'
import { Nidus } from 'nidus-wasm'
const D = 384
const dir = '/work/shared/data/npm-20k'
const f32 = (p) => { const b = readFileSync(p); return new Float32Array(b.buffer, b.byteOffset, b.byteLength / 4) }
const real = f32(`${dir}/vectors.f32`), queries = f32(`${dir}/queries.f32`)
const truth = JSON.parse(readFileSync(`${dir}/ground-truth.json`))
let seed = 7
const rnd = () => { seed ^= seed << 13; seed ^= seed >>> 17; seed ^= seed << 5; return (seed | 0) / 2 ** 31 }
const gauss = () => rnd() + rnd() + rnd() + rnd()
async function run(name, count, rowsOf, qs) {
  const db = await Nidus.open(`q-${name}`, { storage: 'memory', dimension: D })
  let t = performance.now()
  for (let at = 0; at < count; at += 5000) {
    const n = Math.min(5000, count - at)
    await db.upsert('r', { ids: Array.from({ length: n }, (_, i) => String(at + i)), vectors: rowsOf(at, n) })
  }
  const insert = performance.now() - t
  t = performance.now()
  let f, longest = 0
  for (;;) { const a = performance.now(); f = await db.footprint(); longest = Math.max(longest, performance.now() - a); if (f.codedRows >= (f.rows & ~15)) break; await new Promise((r) => setTimeout(r, 5)) }
  const coded = performance.now() - t
  await new Promise((r) => setTimeout(r, 300))
  const times = []
  for (let n = 0; n < 150; n++) { const q = qs(n); const a = performance.now(); await db.search(q, { topK: 10 }); times.push(performance.now() - a) }
  const s = times.slice(20).sort((a, b) => a - b)
  console.log(name, count, 'insert', insert.toFixed(0), 'coded', coded.toFixed(0), 'mem', (f.memoryBytes / 1e6).toFixed(0), 'p50', s[s.length >> 1].toFixed(3), 'p90', s[(s.length * 0.9) | 0].toFixed(3), 'max', s.at(-1).toFixed(3))
  await db.close()
}
const unit = (v) => { let s = 0; for (const x of v) s += x * x; s = 1 / Math.sqrt(s); return v.map((x) => x * s) }
const realQ = (n) => n % 5 == 0 ? queries.slice((n % 30) * D, (n % 30 + 1) * D) : real.slice((n * 131 % 20000) * D, (n * 131 % 20000 + 1) * D)
await run('real', 20000, (at, n) => real.subarray(at * D, (at + n) * D), realQ)
const tiled = (at, n) => { const out = new Float32Array(n * D); for (let i = 0; i < n; i++) { const r = (at + i) % 20000; const pert = at + i >= 20000 ? 0.02 : 0; for (let j = 0; j < D; j++) out[i * D + j] = real[r * D + j] + pert * rnd() } return out }
await run('real-tiled', 100000, tiled, realQ)
const g = (at, n) => Float32Array.from({ length: n * D }, gauss)
await run('gauss', 100000, g, () => unit(Float32Array.from({ length: D }, gauss)))
