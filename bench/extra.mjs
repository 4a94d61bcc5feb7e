// Measurements of this package alone: cost curves, durable inserts, a million rows, and the download of a page.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { at, say } from '../scripts/lib.mjs'
import { native } from './channels/native.mjs'
import { bundled } from './channels/server.mjs'
import { Wrong } from './harness.mjs'
import { BLOCK, generate } from './input.mjs'
import { DIMENSION, scratch } from './inputs.mjs'
import { dot, judge, median, summary, truth } from './measure.mjs'

const bench = fileURLToPath(new URL('.', import.meta.url))
const specOf = (runtime, input, rows) => ({
  name: input.name,
  kind: input.kind,
  rows,
  dimension: input.dimension,
  ...(runtime.name === 'node' ? input.paths : input.urls),
})

async function within(channel, work) {
  const opened = await channel
  try {
    return await work(opened)
  } finally {
    await opened.end()
  }
}

/** Measures searches over the number of rows, and appends over the size of the store, with one store that grows. */
export function curve(runtime, input, rows, searches) {
  const marks = [1000, 2000, 5000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000].filter((mark) => mark <= rows)
  return within(runtime.channel(), async ({ call }) => {
    await call('open', { file: 'nidus', name: 'default', input: specOf(runtime, input, rows) })
    const { appends, points } = await call('curve', { marks, searches })
    return {
      appends,
      points: points.map(({ rows, times, settled }) => ({ rows, ...summary(times), settled: settled.ms })),
    }
  })
}

/** Measures full and compact memory, two workers, and 32 queries in one call. */
export function modes(runtime, input, rows, rounds) {
  const dir = scratch('modes')
  const kept = runtime.name === 'node' ? { storage: 'fs' } : { storage: 'opfs' }
  const name = (n) => ({ name: runtime.name === 'node' ? join(dir, `${n}`) : `bench-modes-${input.name}-${n}` })
  const all = [
    { ...kept, ...name(0) },
    { ...kept, ...name(1), memory: 'compact' },
    { ...kept, ...name(2), workers: 2 },
  ]
  rmSync(dir, { recursive: true, force: true })
  return within(runtime.channel(), async ({ call }) => {
    await call('open', { file: 'nidus', name: 'default', input: specOf(runtime, input, rows) })
    const found = await call('modes', { modes: all, rounds }, 600_000)
    const [first] = found
    return found.map(({ mode, times, together, wasm, settled }) => ({
      mode: mode.memory ?? (mode.workers ? `${mode.workers} workers` : 'full'),
      search: summary(times),
      together: median(together),
      wasm,
      settled: settled.ms,
      ratio: median(times) / median(first.times),
    }))
  }).finally(() => rmSync(dir, { recursive: true, force: true }))
}

/**
 * Measures searches with filters beside searches without, in a process of their own, over a grid of what matches. It
 * runs only in Node, because the cost of filters is in the wasm.
 */
export function filterGrid(input, rows) {
  const given =
    input.kind === 'real' ? [input.paths.file, `${rows}`, '--queries', input.paths.queries] : [input.kind, `${rows}`]
  return JSON.parse(
    execFileSync(process.execPath, [join(bench, 'filters.mjs'), ...given, '--json'], {
      encoding: 'utf8',
      maxBuffer: 1 << 24,
    }),
  )
}

/** Measures durable inserts of this package beside direct writes, and in Node also those of native nidus. */
export async function durability(runtime, input, rows, runs) {
  const dir = scratch('durable')
  const ours = await within(runtime.channel(), async ({ call }) => {
    await call('open', { file: 'nidus', name: 'default', input: specOf(runtime, input, rows) })
    return call('durable', { dir, runs })
  })
  let natively
  if (runtime.name === 'node') {
    natively = await within(native('default').channel(), async ({ call }) => {
      await call('open', { input: specOf(runtime, input, rows) })
      const seen = []
      for (let run = 0; run < runs; run++) seen.push(await call('durable', { dir: join(dir, 'native') }))
      return Object.fromEntries(Object.keys(seen[0]).map((name) => [name, median(seen.map((one) => one[name]))]))
    }).catch((error) => ({ failed: String(error.message).split('\n')[0] }))
  }
  rmSync(dir, { recursive: true, force: true })
  return { ours, native: natively }
}

/**
 * Measures a million uniform rows, which are generated as they are asked for. It uses compact memory over files where
 * there are files.
 */
export async function million(runtime, { paths, urls }, rows = 1_000_000) {
  const dir = scratch('million')
  rmSync(dir, { recursive: true, force: true })
  const queries = generate('uniform', DIMENSION, 0, 20, 2).slice()
  const count = queries.length / DIMENSION
  function* parts() {
    for (let base = 0; base < rows; base += 20 * BLOCK)
      yield { rows: generate('uniform', DIMENSION, base, Math.min(rows, base + 20 * BLOCK)), base }
  }
  const best = truth({ parts, dimension: DIMENSION, queries })
  const attempt = (memory) =>
    within(runtime.channel(), async ({ call }) => {
      const store = {
        name: runtime.name === 'node' ? dir : 'bench-million',
        storage: runtime.name === 'node' ? 'fs' : 'opfs',
        memory,
      }
      const spec = {
        name: 'uniform',
        kind: 'uniform',
        rows,
        dimension: DIMENSION,
        store,
        queries: runtime.name === 'node' ? paths.queries : urls.queries,
      }
      await call('open', { file: 'nidus', name: 'default', input: spec })
      const { build, first } = await call('build', {}, 1_800_000)
      const settled = await call('settle', {}, 120_000)
      const { wasm, heap } = await call('release')
      await call('search', { order: Array.from({ length: 15 }, (_, i) => i % count) }, 600_000)
      const order = Array.from({ length: count * 2 }, (_, i) => i % count)
      const { times, answers } = await call('search', { order }, 600_000)
      for (const answer of answers) {
        const score = (row) => dot(generate('uniform', DIMENSION, row, row + 1), 0, DIMENSION, queries, answer.which)
        const { wrong } = judge(best[answer.which], answer, score)
        if (wrong) throw new Wrong(`nidus-wasm answered query ${answer.which} over ${rows} rows with ${wrong}`)
      }
      return { rows, memory, build, first, settled: settled.ms, search: summary(times), wasm, heap }
    })
  try {
    return await attempt('compact').catch((error) => {
      if (!String(error).includes('later version') && !String(error).includes('UNSUPPORTED')) throw error
      say('    memory: "compact" is not in this version: in full')
      return attempt('full')
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length

/**
 * Returns the gzip bytes that a page loads: for this package as a real page was seen to load them, for peers bundled
 * and minified, with the files that they load.
 */
export async function downloads(runtime, rows) {
  const found = []
  if (runtime.downloads) {
    const files = await runtime.downloads()
    found.push({
      label: 'nidus-wasm',
      bytes: files.reduce((sum, name) => sum + gzip(readFileSync(at('dist', name))), 0),
      files,
    })
  }
  const seen = new Set()
  for (const { package: name, download, failed } of rows) {
    if (!download || failed || seen.has(name)) continue
    seen.add(name)
    try {
      let bytes = 0
      for (const entry of download.bundle) {
        const stdin = { contents: `export * from ${JSON.stringify(entry)}`, resolveDir: bench }
        bytes += gzip(
          await bundled(undefined, { entryPoints: undefined, stdin, minify: true, loader: { '.wasm': 'empty' } }),
        )
      }
      for (const file of download.files ?? []) {
        const path = join(bench, 'node_modules', file)
        if (existsSync(path)) bytes += file.endsWith('.gz') ? readFileSync(path).length : gzip(readFileSync(path))
      }
      found.push({ label: name, bytes })
    } catch (error) {
      found.push({ label: name, failed: String(error.message).split('\n')[0] })
    }
  }
  return found
}
