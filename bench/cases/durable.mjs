// Compares durable inserts and openings of this package with direct writes and reads. In Node, also with native nidus.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { step } from '../../scripts/lib.mjs'
import { scratch, sizesOf, specOf } from '../data/files.mjs'
import { median } from '../data/statistics.mjs'
import { native } from '../peers/native.mjs'
import { within } from '../runtimes/within.mjs'

export const title = 'durable inserts and openings'
export const ofNidus = true

export async function run({ runtime, peers, inputs: [input], options }) {
  const results = []
  for (const size of sizesOf(input, options.rows).slice(-2)) {
    results.push(await step(`${title}: ${size} rows`, () => compared(runtime, peers, input, size, options)))
  }
  return results
}

async function compared(runtime, peers, input, size, { quick }) {
  const dir = scratch('durable')
  const runs = quick ? 1 : 3
  const result = { runtime: runtime.name, storage: runtime.inPage ? 'opfs' : 'fs', input: input.name, size }
  result.ours = await within(runtime.channel(), async ({ call }) => {
    await call('open', { file: 'nidus', name: 'default', input: specOf(input, size, runtime.inPage) })
    return call('durable', { dir, runs })
  })
  if (!runtime.inPage && peers.some(({ id }) => id === 'native'))
    result.native = await natively(input, size, runs, dir).catch((error) => ({
      failed: String(error.message).split('\n')[0],
    }))
  rmSync(dir, { recursive: true, force: true })
  return result
}

function natively(input, size, runs, dir) {
  return within(native('default').channel(), async ({ call }) => {
    await call('open', { input: specOf(input, size, false) })
    const seen = []
    for (let run = 0; run < runs; run++) seen.push(await call('durable', { dir: join(dir, 'native') }))
    return Object.fromEntries(Object.keys(seen[0]).map((name) => [name, median(seen.map((one) => one[name]))]))
  })
}
