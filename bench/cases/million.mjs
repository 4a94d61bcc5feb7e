// A million uniform rows in compact memory. Rows are generated when they are needed, so no process has all of them in
// memory.
import { rmSync } from 'node:fs'
import { DIMENSION, scratch, specOf } from '../data/files.mjs'
import { BLOCK, generate } from '../data/rows.mjs'
import { summary } from '../data/statistics.mjs'
import { dot, judge, truth } from '../data/truth.mjs'
import { within } from '../runtimes/within.mjs'
import { Wrong } from './wrong.mjs'

export const title = 'a million rows'
export const ofNidus = true
export const onRequest = true

const ROWS = 1_000_000

/** Runs the case. `million` is an input whose file has only the queries. */
export async function run({ runtime, million }) {
  const dir = scratch('million')
  rmSync(dir, { recursive: true, force: true })
  const queries = generate('uniform', DIMENSION, 0, 20, 2).slice()
  const count = queries.length / DIMENSION
  const order = (length) => Array.from({ length }, (_, i) => i % count)
  const best = truth({ parts, dimension: DIMENSION, queries })
  const store = runtime.inPage ? { name: 'bench-million', storage: 'opfs' } : { name: dir, storage: 'fs' }
  const { queries: file } = specOf(million, ROWS, runtime.inPage)
  const spec = { name: 'uniform', kind: 'uniform', rows: ROWS, dimension: DIMENSION, queries: file }
  try {
    return await within(runtime.channel(), async ({ call }) => {
      const input = { ...spec, store: { ...store, memory: 'compact' } }
      await call('open', { file: 'nidus', name: 'default', input })
      const { build, first } = await call('build', {}, 1_800_000)
      const settled = await call('settle', {}, 120_000)
      const { wasm, heap } = await call('release')
      await call('search', { order: order(15) }, 600_000)
      const { times, answers } = await call('search', { order: order(count * 2) }, 600_000)
      for (const answer of answers) check(best[answer.which], answer, queries)
      const search = summary(times)
      return [
        { runtime: runtime.name, rows: ROWS, memory: 'compact', build, first, settled: settled.ms, search, wasm, heap },
      ]
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function* parts() {
  for (let base = 0; base < ROWS; base += 20 * BLOCK)
    yield { rows: generate('uniform', DIMENSION, base, Math.min(ROWS, base + 20 * BLOCK)), base }
}

function check(best, answer, queries) {
  const score = (row) => dot(generate('uniform', DIMENSION, row, row + 1), 0, DIMENSION, queries, answer.which)
  const { wrong } = judge(best, answer, score)
  if (wrong) throw new Wrong(`nidus-wasm answered query ${answer.which} over ${ROWS} rows with ${wrong}`)
}
