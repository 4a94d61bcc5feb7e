import { init, Segment } from 'nidus-wasm/segment'
import { readFileSync } from 'node:fs'
await init(process.argv[2] ? readFileSync(process.argv[2]) : undefined)
for (const n of [20000, 100000]) {
  const d = 384, s = Segment.inMemory(d); const v = new Float32Array(n * d); for (let i = 0; i < v.length; i++) v[i] = Math.random() - .5
  for (let i = 0; i < n; i += 1000) s.append(v.subarray(i * d, (i + 1000) * d))
  const t = []; for (let i = 0; i < 60; i++) { const q = v.slice(i * d, (i + 1) * d); const a = performance.now(); s.search(q, { topK: 10 }); t.push(performance.now() - a) }
  t.splice(0, 15); t.sort((a, b) => a - b); console.log(n, 'p50', t[22].toFixed(2), 'min', t[0].toFixed(2)); s.close?.()
}
