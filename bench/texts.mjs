// Two ratios of `nidus-wasm/text`, each in one run: embedding through TextIndex beside the same model called by hand,
// and how many documents a second `add` takes that are there already. Usage:
// node bench/texts.mjs [--documents 96] [--library FILE], where FILE is a transformers.js with the native runtime.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { TextIndex } from '../dist/text-index-node.js'
import { transformers } from '../dist/transformers-node.js'

const { documents: count, library: native } = parseArgs({
  options: { documents: { type: 'string', default: '96' }, library: { type: 'string' } },
}).values
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const MODEL = 'Xenova/all-MiniLM-L6-v2'
const folder = mkdtempSync(join(tmpdir(), 'nidus-texts-'))
cpSync(at('www/public/models/all-MiniLM-L6-v2'), join(folder, MODEL), { recursive: true })
const runtime = native ? undefined : pathToFileURL(at('node_modules/onnxruntime-web/dist/'))
const library = native
  ? pathToFileURL(native)
  : new URL('../pkg-tests/common/transformers-library.mjs', import.meta.url)

const WORDS = 'roof water landlord house bread flour river mountain index search vector word letter engine paper'.split(
  ' ',
)
const documents = Array.from({ length: Number(count) }, (_, i) => ({
  id: `d${i}`,
  text: Array.from({ length: 60 + (i % 40) }, (_, n) => WORDS[(i * 7 + n * (1 + (i % 5))) % WORDS.length]).join(' '),
}))

/** Returns the processor time of all threads. Other programs on the machine disturb it less than the time of a clock. */
const cpu = async (run) => {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
/** Returns the median, because other programs disturb single runs. */
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]
const seconds = async (run) => {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}

const embedder = await transformers(MODEL, { models: folder, runtime, library: library.href })
await embedder.ready
const { AutoModel, AutoTokenizer, FeatureExtractionPipeline, env } = await import(library.href)
env.localModelPath = `${folder}/`
if (runtime) env.backends.onnx.wasm.wasmPaths = String(runtime)
const byHand = new FeatureExtractionPipeline({
  task: 'feature-extraction',
  model: await AutoModel.from_pretrained(MODEL, { dtype: 'q8' }),
  tokenizer: await AutoTokenizer.from_pretrained(MODEL),
})
const texts = documents.map(({ text }) => text)
const inBatches = async (embed) => {
  for (let i = 0; i < texts.length; i += 16) await embed(texts.slice(i, i + 16))
}
await byHand(texts.slice(0, 16), { pooling: 'mean', normalize: true })

const ratios = []
const ratiosOfCpu = []
for (let round = 0; round < 5; round++) {
  let [hand, through] = [0, 0]
  const handCpu = await cpu(async () => {
    hand = await seconds(() => inBatches((batch) => byHand(batch, { pooling: 'mean', normalize: true })))
  })
  const index = await TextIndex.open('round', { store: { storage: 'memory' }, embedder: { ...embedder, close() {} } })
  const throughCpu = await cpu(async () => {
    through = await seconds(() => index.add(documents))
  })
  await index.close()
  ratios.push(through / hand)
  ratiosOfCpu.push(throughCpu / handCpu)
  console.log(
    `by hand ${hand.toFixed(2)} s (processor: ${handCpu.toFixed(2)}), ` +
      `through TextIndex ${through.toFixed(2)} s (processor: ${throughCpu.toFixed(2)})`,
  )
}
console.log(
  `TextIndex takes ${median(ratios).toFixed(3)} of the time by hand, and ${median(ratiosOfCpu).toFixed(3)} of the ` +
    `processor time (medians of ${ratios.length} rounds)`,
)
await embedder.close()

for (const storage of ['memory', 'files']) {
  const many = Array.from({ length: 5000 }, (_, i) => ({ ...documents[i % documents.length], id: `m${i}` }))
  const name = storage === 'memory' ? 'again' : join(folder, 'again')
  const index = await TextIndex.open(name, storage === 'memory' ? { store: { storage } } : {})
  const first = await seconds(() => index.add(many))
  const again = median([
    await seconds(() => index.add(many)),
    await seconds(() => index.add(many)),
    await seconds(() => index.add(many)),
  ])
  await index.close()
  console.log(
    `${storage}: ${Math.round(many.length / first)} new documents a second without a model, ` +
      `${Math.round(many.length / again)} that are there already`,
  )
}
rmSync(folder, { recursive: true })
