// Makes the set "wordnet": all senses of WordNet, embedded by all-MiniLM-L6-v2, and questions. `npm run bench -- --data
// wordnet` calls it. It takes about an hour and a half of processor time, once. If it is interrupted, the next call
// goes on where it ended.
//   node bench/data/wordnet/make.mjs [--rows N] [--out DIR] [--compare DIR]
// --rows makes only the first rows, for a trial. --compare tells how well they agree with another folder of this form.
import { fork } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { at, cache, isMain, main, say, sha, Trouble, writeFile } from '../../../scripts/lib.mjs'
import { ensureModel } from '../../../www/scripts/model.mjs'
import { compare } from './compare.mjs'
import { senses, textOf } from './senses.mjs'

/** The rows of a block. A block that is done has a file, so an interruption loses less than one block a process. */
const BLOCK = 100
const QUESTIONS = { 'questions.json': 'queries.f32', 'more-questions.json': 'more-queries.f32' }
const MODEL = 'www/public/models/all-MiniLM-L6-v2/onnx/model_quantized.onnx'

const bytesOf = (numbers) => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)
const here = (name) => fileURLToPath(new URL(name, import.meta.url))

/** Starts processes that embed. `work` gets a function that returns the vectors of texts, as soon as one is idle. */
async function withEmbedders(work) {
  const waiting = new Map()
  const start = () => {
    const child = fork(here('embedder.mjs'), { serialization: 'advanced' })
    child.on('message', ({ id, vectors, error }) => {
      const { resolve, reject } = waiting.get(id)
      waiting.delete(id)
      if (error) reject(new Trouble(`the model could not embed a text: ${error}`))
      else resolve(vectors)
    })
    child.on('exit', () => {
      for (const { reject } of waiting.values()) reject(new Trouble('a process that embeds has ended'))
    })
    return child
  }
  const children = Array.from({ length: availableParallelism() }, start)
  let next = 0
  const embed = (child, texts, halves) =>
    new Promise((resolve, reject) => {
      waiting.set(++next, { resolve, reject })
      child.send({ id: next, texts, halves })
    })
  try {
    return await work(children, embed)
  } finally {
    for (const child of children) child.removeAllListeners('exit').kill()
  }
}

/** Says now and then how many rows are done and when the rest will be. */
function progress(done, all) {
  const began = performance.now()
  const first = done
  let said = began
  return (now) => {
    if (performance.now() - said < 10_000 && now < all) return
    said = performance.now()
    const minutes = ((said - began) / (now - first)) * ((all - now) / 60_000)
    say(`    ${now.toLocaleString('en')} of ${all.toLocaleString('en')} rows; about ${Math.ceil(minutes)} min left`)
  }
}

/** Makes the files of all blocks that have none. */
async function makeBlocks(texts, fileOf, children, embed) {
  const blocks = Array.from({ length: Math.ceil(texts.length / BLOCK) }, (_, i) => i)
  const open = blocks.filter((block) => !existsSync(fileOf(block)))
  let done = Math.max(0, texts.length - open.length * BLOCK)
  const tell = progress(done, texts.length)
  const from = open[Symbol.iterator]()
  await Promise.all(
    children.map(async (child) => {
      // The processes take from one iterator, so each block is taken once.
      for (const block of from) {
        const some = texts.slice(block * BLOCK, (block + 1) * BLOCK)
        writeFile(fileOf(block), bytesOf(await embed(child, some, true)))
        done += some.length
        tell(Math.min(done, texts.length))
      }
    }),
  )
  return blocks
}

/** Makes the folder, if it is not complete, and returns its path. */
export async function makeWordnet({ rows, out } = {}) {
  const records = senses().slice(0, rows)
  const texts = records.map(textOf)
  const asked = Object.fromEntries(Object.keys(QUESTIONS).map((name) => [name, readFileSync(here(name), 'utf8')]))
  // The folder's name depends on all that was embedded. So other texts or questions get another folder.
  const dir = out ?? cache('bench', `wordnet-${sha(...texts, ...Object.values(asked)).slice(0, 12)}`)
  if (existsSync(join(dir, 'vectors.f16'))) return dir
  say(`  embedding ${texts.length.toLocaleString('en')} senses of WordNet, which is kept in ${dir}`)
  if (!(await ensureModel())) throw new Trouble(`--data wordnet: there is no ${MODEL} (the line above says why)`)
  const fileOf = (block) => join(dir, 'blocks', `${block}.f16`)
  await withEmbedders(async (children, embed) => {
    for (const [name, vectors] of Object.entries(QUESTIONS)) {
      if (existsSync(join(dir, vectors))) continue
      const questions = JSON.parse(asked[name]).map(({ question }) => question)
      writeFile(join(dir, vectors), bytesOf(await embed(children[0], questions, false)))
      writeFile(join(dir, name), asked[name])
    }
    const blocks = await makeBlocks(texts, fileOf, children, embed)
    writeFile(join(dir, 'LICENSE'), readFileSync(here('LICENSE')))
    writeFile(join(dir, 'records.jsonl'), `${records.map((record) => JSON.stringify(record)).join('\n')}\n`)
    writeFile(join(dir, 'vectors.f16'), Buffer.concat(blocks.map((block) => readFileSync(fileOf(block)))))
  })
  rmSync(join(dir, 'blocks'), { recursive: true })
  return dir
}

if (isMain(import.meta.url))
  main(async () => {
    const names = ['rows', 'out', 'compare']
    const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })
    const { rows, out = values.rows && at('target/bench/wordnet-trial') } = values
    const dir = await makeWordnet({ rows: rows && Number(rows), out })
    say(`the set is in ${dir}`)
    if (values.compare) say(compare(dir, values.compare))
  })
