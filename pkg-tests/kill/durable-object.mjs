// Kills workerd with SIGKILL at random moments while its Durable Object writes. Checks that everything that was
// acknowledged is there: node pkg-tests/kill/durable-object.mjs --cycles 1000 --seed 7
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { bundle, serve } from '../workerd/harness.mjs'
import { DIMENSION, digest, operate } from '../workerd/work.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
/** The number of operations that are under way at the same time. */
const WINDOW = 6
/** The longest time until a kill, in milliseconds. */
const LONGEST = 400
/** So many acknowledgements, or up to twice as many, come before a kill that waits for some. It comes soon after. */
const LEAST = 10
const SOON = 20

const ask = async (url) => {
  const response = await fetch(url)
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}

/**
 * Runs the kill loop. Each cycle opens the store that the previous one left, continues to write, and is killed.
 * Operations have numbers and are made in order. The store must have the state that a store in memory has after all
 * acknowledged operations, or after some more of those under way.
 */
export async function run({ cycles = 20, seed = Date.now() % 2 ** 31, say = () => {} } = {}) {
  const { Nidus } = await import(pathToFileURL(here('../../dist/node.js')).href)
  const directory = mkdtempSync(join(tmpdir(), 'nidus-kill-do-'))
  await bundle(directory, here('../workerd/driven.mjs'))
  const model = await Nidus.open('model', { dimension: DIMENSION, storage: 'memory' })
  /** The number of operations that the model has made. */
  let done = 0
  let acknowledged = 0
  let kept = 0
  let compactions
  let served
  try {
    for (let cycle = 0; ; cycle++) {
      served = await serve(directory)
      const found = await ask(`${served.url}/check`)
      // Acknowledgements may have been lost on their way. So more operations may be there: up to that of the newest
      // record, and then some that leave no record.
      const surely = Math.max(acknowledged, found.newest + 1)
      while (done < surely || (cycle > 0 && done < surely + WINDOW && (await digest(model)) !== found.digest))
        await operate(model, seed, done++)
      if ((await digest(model)) !== found.digest) {
        throw new Error(
          `seed ${seed}, cycle ${cycle}: ${acknowledged} operations were acknowledged, and what is there is not ` +
            `what they and some more make: ${JSON.stringify(found)}`,
        )
      }
      if (!found.further || found.rubbish > 0) throw new Error(`seed ${seed}, cycle ${cycle}: ${JSON.stringify(found)}`)
      kept += done - acknowledged
      acknowledged = done
      compactions = found.generation
      if (cycle > 0 && cycle % 50 === 0)
        say(`${cycle} cycles: ${acknowledged} operations, ${compactions} compactions, ${found.count} records`)
      if (cycle === cycles) break
      // Half of the kills come after some acknowledgements, so that a slow machine does as much work as a fast one.
      const first = cycle % 2 ? LEAST + Math.floor(Math.random() * LEAST) : 0
      acknowledged += await writeAndDie(served, seed, done, first, Math.random() * (first ? SOON : LONGEST))
    }
  } finally {
    await served?.kill()
    await model.close()
    rmSync(directory, { recursive: true, force: true })
  }
  return { cycles, acknowledged, lost: 0, doubled: 0, compactions, kept }
}

/**
 * Starts to write, and kills the process `after` milliseconds behind the first `first` acknowledgements. Returns how
 * many operations are known to be acknowledged.
 */
async function writeAndDie(served, seed, from, first, after) {
  let lines = ''
  let timer
  const arm = () => (timer ??= setTimeout(served.kill, after))
  if (first === 0) arm()
  try {
    const { body } = await fetch(`${served.url}/write?seed=${seed}&from=${from}&window=${WINDOW}`)
    for await (const chunk of body) {
      lines += Buffer.from(chunk).toString()
      if (lines.split('\n').length > first) arm()
    }
    throw new Error(`the writer ended by itself: ${lines.slice(-500)}`)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  } finally {
    clearTimeout(timer)
    await served.kill()
  }
  const numbers = lines.split('\n').slice(0, -1).map(Number)
  numbers.forEach((number, i) => {
    if (number !== from + i) throw new Error(`acknowledgement ${i} is ${number}, from ${from} on: ${lines.slice(-500)}`)
  })
  return numbers.length
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { cycles: { type: 'string', default: '20' }, seed: { type: 'string' } } })
  const began = performance.now()
  const result = await run({
    cycles: Number(values.cycles),
    seed: values.seed === undefined ? undefined : Number(values.seed),
    say: console.log,
  })
  console.log(JSON.stringify({ ...result, seconds: Math.round((performance.now() - began) / 1000) }))
}
