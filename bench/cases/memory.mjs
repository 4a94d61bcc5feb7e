// Full and compact memory, two search workers, and 32 queries in one call.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { step } from '../../scripts/lib.mjs'
import { atMost, scratch, specOf } from '../data/files.mjs'
import { median, summary } from '../data/statistics.mjs'
import { within } from '../runtimes/within.mjs'

export const title = 'full and compact memory, search workers'
export const ofNidus = true

export async function run({ runtime, inputs, options }) {
  const results = []
  for (const input of inputs)
    results.push({
      runtime: runtime.name,
      input: input.name,
      title: input.title,
      size: atMost(input, options.most),
      rows: await step(`${title}: ${input.name}`, () => modes(runtime, input, options)),
    })
  return results
}

async function modes(runtime, input, { most, quick }) {
  const dir = scratch('modes')
  const store = (n) =>
    runtime.inPage
      ? { storage: 'opfs', name: `bench-modes-${input.name}-${n}` }
      : { storage: 'fs', name: join(dir, `${n}`) }
  const all = [store(0), { ...store(1), memory: 'compact' }, { ...store(2), workers: 2 }]
  rmSync(dir, { recursive: true, force: true })
  try {
    const found = await within(runtime.channel(), async ({ call }) => {
      await call('open', { file: 'nidus', name: 'default', input: specOf(input, atMost(input, most), runtime.inPage) })
      return call('modes', { modes: all, rounds: quick ? 2 : 5 }, 600_000)
    })
    const [first] = found
    return found.map(({ mode, times, together, wasm, settled }) => ({
      mode: mode.memory ?? (mode.workers ? `${mode.workers} workers` : 'full'),
      search: summary(times),
      together: median(together),
      wasm,
      settled: settled.ms,
      ratio: median(times) / median(first.times),
    }))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
