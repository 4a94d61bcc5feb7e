// Measures a store of this package while it grows: the time of each append, and of searches and the memory at some
// sizes.
import { specOf } from '../data/files.mjs'
import { summary } from '../data/statistics.mjs'
import { within } from '../runtimes/within.mjs'
import { marksOf } from './marks.mjs'

export const title = 'searches and appends over the number of rows'
export const ofNidus = true

export async function run({ runtime, inputs, options }) {
  const results = []
  for (const input of inputs.filter(({ kind }) => kind !== 'clustered'))
    results.push(await grown(runtime, input, options))
  return results
}

async function grown(runtime, input, options) {
  const marks = marksOf(input, options)
  const { appends, points } = await within(runtime.channel(), async ({ call }) => {
    await call('open', { file: 'nidus', name: 'default', input: specOf(input, marks.at(-1), runtime.inPage) })
    return call('curve', { marks, searches: options.quick ? 20 : 120 }, 1_800_000)
  })
  return {
    runtime: runtime.name,
    input: input.name,
    count: input.count,
    title: input.title,
    points: points.map(({ rows, times, settled, wasm }) => ({ rows, ...summary(times), settled: settled.ms, wasm })),
    appends,
  }
}
