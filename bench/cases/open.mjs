// Openings of stores of several sizes, beside reading files of the same lengths into new memory.
import { rmSync } from 'node:fs'
import { scratch, specOf } from '../data/files.mjs'
import { within } from '../runtimes/within.mjs'
import { marksOf } from './marks.mjs'

export const title = 'openings over the number of rows'
export const ofNidus = true

export async function run({ runtime, inputs, options }) {
  const input = inputs.find(({ kind }) => kind === 'real') ?? inputs[0]
  const dir = scratch('openings')
  const marks = marksOf(input, options)
  try {
    const points = await within(runtime.channel(), async ({ call }) => {
      await call('open', { file: 'nidus', name: 'default', input: specOf(input, marks.at(-1), runtime.inPage) })
      return call('opening', { dir, marks, runs: options.quick ? 3 : 5 }, 1_800_000)
    })
    const storage = runtime.inPage ? 'opfs' : 'fs'
    return [{ runtime: runtime.name, storage, input: input.name, count: input.count, title: input.title, points }]
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
