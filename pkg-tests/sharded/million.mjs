// `node pkg-tests/sharded/million.mjs [--rows 1000000 --shards 16]`: fills a sharded store of that size in a real
// workerd, and compares its answers with a scan in f64. Here all objects share one process and one wasm. On
// Cloudflare's network they do not.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { median, percentile } from '../../bench/data/statistics.mjs'
import { main, say, Trouble } from '../../scripts/lib.mjs'
import { bundle, serve } from '../workerd/harness.mjs'
import { vectorOf } from './vectors.mjs'

const D = 384
const TOP = 10
const QUERIES = 8
const BATCH = 2000

main(async () => {
  const { values } = parseArgs({
    options: { rows: { type: 'string', default: '1000000' }, shards: { type: 'string', default: '16' } },
  })
  const [rows, shards] = [Number(values.rows), Number(values.shards)]
  const directory = mkdtempSync(join(tmpdir(), 'nidus-million-'))
  await bundle(directory, fileURLToPath(new URL('./million-worker.mjs', import.meta.url)))
  let served
  const start = async () =>
    void (served = await serve(directory, { objects: { Router: true, Shard: true }, date: '2026-05-03' }))
  const call = async (method, ...args) => {
    const response = await fetch(served.url, {
      method: 'POST',
      body: JSON.stringify({ store: 'million', method, args, options: { dimension: D, shards } }),
    })
    const { ok, error } = await response.json()
    if (error) throw new Trouble(`${method}: ${error.code}: ${error.message}`)
    return ok
  }
  const resident = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${served.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  try {
    await start()
    let began = performance.now()
    for (let from = 0; from < rows; from += BATCH) {
      const response = await fetch(
        `${served.url}/fill?from=${from}&to=${Math.min(rows, from + BATCH)}&dimension=${D}&shards=${shards}`,
      )
      if (!response.ok) throw new Trouble(`fill: ${response.status} ${await response.text()} ${served.output()}`)
    }
    say(
      `${rows} rows of ${D} over ${shards} shards written in ${((performance.now() - began) / 1000).toFixed(0)} s; ` +
        `the process has ${resident().toFixed(0)} MiB`,
    )
    const queries = Array.from({ length: QUERIES }, (_, n) => vectorOf(1e9 + n, D))
    const ask = async (which) => {
      const at = performance.now()
      const hits = await call('search', Array.from(queries[which]), { topK: TOP })
      return { hits, ms: performance.now() - at }
    }
    began = performance.now()
    await served.kill()
    await start()
    const first = await ask(0)
    say(`started anew; the first search ${(first.ms / 1000).toFixed(1)} s, the opening of all ${shards} included`)
    const times = []
    for (let i = 0; i < 60; i++) times.push((await ask(i % QUERIES)).ms)
    say(
      `searches: p50 ${median(times).toFixed(0)} ms, p95 ${percentile(times, 0.95).toFixed(0)} ms; the process has ` +
        `${resident().toFixed(0)} MiB`,
    )
    const { each } = await call('stats')
    say(
      `documents in a shard: ${Math.min(...each.map(({ docCount }) => docCount))} to ` +
        `${Math.max(...each.map(({ docCount }) => docCount))}; wasm memory of all ` +
        `${(each[0].memoryBytes / 1e6).toFixed(0)} MB`,
    )
    // The true answers, from all rows in f64.
    const norm = (vector) => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
    const units = queries.map((query) => Float64Array.from(query, (x) => x / norm(query)))
    const best = queries.map(() => [])
    for (let row = 0; row < rows; row++) {
      const vector = vectorOf(row, D)
      const length = norm(vector)
      units.forEach((unit, which) => {
        let sum = 0
        for (let i = 0; i < D; i++) sum += unit[i] * vector[i]
        const list = best[which]
        const score = sum / length
        if (list.length < TOP || score > list.at(-1).score) {
          list.push({ id: `${row}`, score })
          list.sort((a, b) => b.score - a.score)
          list.length = Math.min(list.length, TOP)
        }
      })
    }
    for (let which = 0; which < QUERIES; which++) {
      const { hits } = await ask(which)
      hits.forEach(({ id, score }, i) => {
        if (Math.abs(score - best[which][i].score) > 1e-6)
          throw new Trouble(`query ${which}: ${id} ${score} instead of ${best[which][i].id} ${best[which][i].score}`)
      })
    }
    say(`${QUERIES} queries held against a scan in f64: the same`)
  } finally {
    await served?.kill()
    rmSync(directory, { recursive: true, force: true })
  }
})
