// node pkg-tests/kill/run.mjs [--cycles 20] [--only node-fs,chromium-opfs] [--seed n] [--at-once 1] [--hard 2]
// [--prove] [--sabotage early|lost|half|twice|deaf|relaxed]
//
// `--hard n`: in browsers, one kill in n ends the whole browser, and the others only a tab or a worker. `--prove`:
// first makes writers report falsely, and checks that each false report is found.
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { loops as browsers } from './browsers.mjs'
import { Loss } from './check.mjs'
import { loops as processes } from './processes.mjs'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '20' },
    only: { type: 'string' },
    seed: { type: 'string' },
    'at-once': { type: 'string', default: '1' },
    hard: { type: 'string', default: '2' },
    sabotage: { type: 'string' },
    prove: { type: 'boolean' },
  },
})
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const cycles = Number(values.cycles)
const hard = Number(values.hard)
const say = (text) => process.stdout.write(`${text}\n`)

const durableObject = new URL('./durable-object.mjs', import.meta.url)
const loops = {
  ...processes,
  ...(existsSync(durableObject) && {
    'durable-object': {
      run: async (options) => (await import(durableObject.href)).run(options),
      lack: () => undefined,
    },
  }),
  ...browsers,
}
const chosen = values.only ? values.only.split(',') : Object.keys(loops)
for (const name of chosen)
  if (!loops[name]) throw new Error(`no such loop: ${name}; there are ${Object.keys(loops).join(', ')}`)

/** Makes writers report falsely, and checks that each false report is found. A loop that cannot fail proves nothing. */
async function prove() {
  for (const sabotage of ['early', 'lost', 'half', 'twice', 'deaf', 'relaxed']) {
    const error = await loops['node-fs'].run({ cycles: 20, seed, sabotage }).then(
      () => undefined,
      (error) => error,
    )
    if (!(error instanceof Loss) || error.lost + error.doubled === 0)
      throw new Error(`a writer that lies (${sabotage}) was not found out: ${error?.stack ?? 'nothing lost'}`)
    say(`a writer that lies (${sabotage}) is found out in cycle ${error.figures.cycles + 1}`)
  }
}

const rows = []
async function one(name) {
  const lack = loops[name].lack()
  if (lack) rows.push({ name, how: `SKIPPED: ${lack}` })
  else {
    try {
      rows.push({
        name,
        how: 'passed',
        ...(await loops[name].run({ cycles, seed, say, hard, sabotage: values.sabotage })),
      })
    } catch (error) {
      process.stderr.write(`\n${error.stack}\n`)
      rows.push({ name, how: 'FAILED', ...error.figures })
    }
  }
  say(line(rows.at(-1)))
}
function line({ name, how, ...figures }) {
  return `${name.padEnd(22)}${how.padEnd(8)}${Object.entries(figures)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')}`
}

say(`kill loops, seed ${seed}`)
if (values.prove) await prove()
const left = [...chosen]
await Promise.all(
  Array.from({ length: Number(values['at-once']) }, async () => {
    while (left.length) await one(left.shift())
  }),
)
if (rows.length > 1) say(`\n${rows.map(line).join('\n')}`)
process.exitCode = rows.some(({ how }) => how === 'FAILED') ? 1 : 0
