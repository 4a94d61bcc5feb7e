// Compares searches with a filter with searches without one, by how many rows match and which. It runs only in Node:
// the time of filters is spent in the wasm, which is the same in a browser.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { step } from '../../scripts/lib.mjs'
import { atMost } from '../data/files.mjs'

export const title = 'filters'
export const ofNidus = true
export const runtimes = ['node']

const program = fileURLToPath(new URL('filter-grid.mjs', import.meta.url))

export async function run({ inputs, options }) {
  const results = []
  for (const input of inputs.filter(({ kind }) => kind !== 'clustered'))
    results.push({
      runtime: 'node',
      input: input.name,
      title: input.title,
      size: atMost(input, options.most),
      cells: await step(`${title}: ${input.name}`, () => grid(input, atMost(input, options.most))),
    })
  return results
}

/** Runs filter-grid.mjs in a process of its own, so that the heap of this process does not disturb it. */
function grid(input, rows) {
  const given =
    input.kind === 'real' ? [input.paths.file, `${rows}`, '--queries', input.paths.queries] : [input.kind, `${rows}`]
  const answer = execFileSync(process.execPath, [program, ...given, '--json'], { encoding: 'utf8', maxBuffer: 1 << 24 })
  return JSON.parse(answer)
}
