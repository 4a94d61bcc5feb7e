// A million rows in compact memory, beside a smaller store in compact memory: all real rows, or 100,000 uniform ones.
// Rows are made when they are needed, so no process has a million of them in memory.
import { rmSync } from 'node:fs'
import { scratch, specOf } from '../data/files.mjs'
import { mixer } from '../data/mix.mjs'
import { generate } from '../data/rows.mjs'
import { median, summary } from '../data/statistics.mjs'
import { dot, judge, truth } from '../data/truth.mjs'
import { within } from '../runtimes/within.mjs'
import { mixtureFacts } from './mixture.mjs'
import { Wrong } from './wrong.mjs'

export const title = 'a million rows'
export const ofNidus = true
export const onRequest = true

const SMALL = 100_000
const PIECE = 20_000
const WARM_UP = 15

/** Runs the case with real rows if there are some. `million` is an input whose file has only the queries. */
export async function run({ runtime, inputs, million, options }) {
  const input = inputs.find(({ paths }) => paths.mix) ?? million
  const { dimension, queries } = input
  const rowsOf = input.neighbours
    ? mixer(input.vectors, input.neighbours, dimension)
    : (from, to) => generate(input.kind, dimension, from, to)
  // The answers name the same rows again and again, and some kinds of rows are made a thousand at a time.
  const rowOf = remembered((row) => rowsOf(row, row + 1).slice())
  const sizes = [input.count ?? Math.min(SMALL, Math.ceil(options.million / 10)), options.million]
  const stores = sizes.map((size) => lane(runtime, input, size))
  for (const { clear } of stores) clear()
  try {
    return await within(runtime.channel(), (small) =>
      within(runtime.channel(), async (large) => {
        const lanes = [small, large].map(({ call }, i) => ({ ...stores[i], call, times: [] }))
        for (const one of lanes) await fill(one)
        const best = bestOf(rowsOf, sizes, dimension, queries)
        await ask(lanes, queries.length / dimension, options, (answer, i) =>
          check(best[i][answer.which], answer, rowOf, dimension, queries),
        )
        const [base, { facts, times }] = lanes
        const p50 = median(base.times)
        const against = { rows: sizes[0], p50, ratio: median(times) / p50 }
        const mixture = input.neighbours ? await mixtureFacts(input, rowsOf, sizes, lanes) : undefined
        const about = {
          runtime: runtime.name,
          input: input.kind === 'real' ? input.name : input.kind,
          count: input.count,
          rows: sizes[1],
          memory: 'compact',
        }
        return [{ ...about, ...facts, search: summary(times), against, mixture }]
      }),
    )
  } finally {
    for (const { clear } of stores) clear()
  }
}

/** Returns what is needed to fill one store. */
function lane(runtime, input, size) {
  const dir = scratch('million', String(size))
  const store = runtime.inPage ? { name: `bench-million-${size}`, storage: 'opfs' } : { name: dir, storage: 'fs' }
  const spec = specOf(input, size, runtime.inPage)
  // The file of the input "million" has no rows.
  const made = { ...spec, file: input.kind === 'real' ? spec.file : undefined }
  return {
    spec: { ...made, store: { ...store, memory: 'compact' } },
    clear: () => rmSync(dir, { recursive: true, force: true }),
  }
}

async function fill(one) {
  await one.call('open', { file: 'nidus', name: 'default', input: one.spec })
  const { build, first } = await one.call('build', {}, 1_800_000)
  const settled = await one.call('settle', {}, 120_000)
  await one.call('coded', {}, 1_800_000)
  const { wasm, heap } = await one.call('release')
  one.facts = { build, first, settled: settled.ms, wasm, heap }
}

/** Asks both stores the same questions in turns. `judged(answer, number of the store)` looks at each answer. */
async function ask(lanes, count, { rounds }, judged) {
  const all = (many, from) => Array.from({ length: many }, (_, i) => (from + i) % count)
  for (const { call } of lanes) await call('search', { order: all(WARM_UP, count - WARM_UP + count) }, 600_000)
  for (let round = 0; round < rounds; round++)
    for (const [i, { call, times: seen }] of lanes.entries()) {
      const { times, answers } = await call('search', { order: all(count, 0) }, 600_000)
      seen.push(...times)
      for (const answer of answers) judged(answer, i)
    }
}

/** Returns the true answers for both sizes: those of the smaller one are on the way to the others. */
function bestOf(rowsOf, [small, large], dimension, queries) {
  const part = (from, to, best) => truth({ parts: () => pieces(rowsOf, from, to), dimension, queries, best })
  const first = part(0, small)
  return [first, part(small, large, first)]
}

function* pieces(rowsOf, from, end) {
  for (let base = from; base < end; base += PIECE) yield { rows: rowsOf(base, Math.min(end, base + PIECE)), base }
}

function remembered(make) {
  const known = new Map()
  return (row) => {
    if (!known.has(row)) known.set(row, make(row))
    return known.get(row)
  }
}

function check(best, answer, rowOf, dimension, queries) {
  const score = (row) => dot(rowOf(row), 0, dimension, queries, answer.which)
  const { wrong } = judge(best, answer, score)
  if (wrong) throw new Wrong(`nidus-wasm answered query ${answer.which} of the case "million" with ${wrong}`)
}
