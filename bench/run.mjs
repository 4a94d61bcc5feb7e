// `npm run bench`: compares this package with other vector search for JavaScript and with native nidus, on this
// machine. `npm run bench -- --help` lists the options. README.md in this folder says what is measured.
import { main, say, step } from '../scripts/lib.mjs'
import { CASES } from './cases/list.mjs'
import { real, scratch, synthetic } from './data/files.mjs'
import { BLOCK } from './data/rows.mjs'
import { HELP, optionsOf } from './options.mjs'
import { writeResults } from './report/files.mjs'
import { report } from './report/report.mjs'
import { runFacts, setUp } from './setup.mjs'

/** Makes the inputs of the cases. For the case "million" without real rows, the file has only queries. */
async function inputsOf({ cases, inputs, data, most, million }) {
  const large = cases.includes('million')
  const made = []
  if (cases.some((name) => name !== 'download' && (name !== 'million' || data)))
    await step('inputs', async () => {
      for (const name of inputs)
        made.push(name === 'real' ? await realInput(data, large ? million : 0) : synthetic(name, most))
    })
  return { inputs: made, million: large ? synthetic('uniform', BLOCK, 'million') : undefined }
}

async function realInput(data, rows) {
  if (data !== 'wordnet') return real(data, undefined, rows)
  const { makeWordnet } = await import('./data/wordnet/make.mjs')
  return real(await makeWordnet(), 'wordnet', rows)
}

async function start(name, { wall, files }) {
  if (name === 'node') return (await import('./runtimes/node.mjs')).node({ wall })
  return (await import('./runtimes/chromium.mjs')).chromium({ wall, files })
}

main(async () => {
  const options = optionsOf(process.argv.slice(2))
  if (options.help) return void say(HELP)
  await setUp(options)
  const { makeWall } = await import('./peers/wall-wasm.mjs')
  const wall = await makeWall(scratch('wall.wasm'))
  const { inputs, million } = await inputsOf(options)
  const files = new Map([...inputs, ...(million ? [million] : [])].flatMap(({ files }) => files))
  const facts = runFacts(options)
  const results = Object.fromEntries(options.cases.map((name) => [name, []]))

  for (const name of options.runtimes) {
    let runtime
    try {
      runtime = await start(name, { wall, files })
    } catch (error) {
      const failed = String(error.message).split('\n')[0]
      say(`! ${name} cannot be started: ${failed}`)
      results.search?.push({ runtime: name, failed, rows: [] })
      continue
    }
    if (runtime.version) facts.chromium = runtime.version
    try {
      for (const one of options.cases) {
        const { title, runtimes, run } = CASES[one]
        if (runtimes && !runtimes.includes(name)) continue
        const work = () => run({ runtime, peers: options.peers, inputs, million, options })
        results[one].push(...(await step(`${name}: ${title}`, work)))
      }
    } finally {
      await runtime.close()
    }
  }
  for (const one of options.cases) if (results[one].length) writeResults(options.out, one, facts, results[one])
  await report({ out: options.out, docs: options.docs })
})
