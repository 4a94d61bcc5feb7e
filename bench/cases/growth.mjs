// Measures a store of this package while it grows: the time of each append, and of searches at some sizes.
import { specOf } from '../data/files.mjs'
import { summary } from '../data/statistics.mjs'
import { within } from '../runtimes/within.mjs'

export const title = 'searches and appends over the number of rows'
export const ofNidus = true

const MARKS = [1000, 2000, 5000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000]

export async function run({ runtime, inputs: [input], options }) {
  const marks = MARKS.filter((mark) => mark <= options.most)
  const { appends, points } = await within(runtime.channel(), async ({ call }) => {
    await call('open', { file: 'nidus', name: 'default', input: specOf(input, options.most, runtime.inPage) })
    return call('curve', { marks, searches: options.quick ? 20 : 40 })
  })
  return [
    {
      runtime: runtime.name,
      input: input.name,
      title: input.title,
      points: points.map(({ rows, times, settled }) => ({ rows, ...summary(times), settled: settled.ms })),
      appends,
    },
  ]
}
