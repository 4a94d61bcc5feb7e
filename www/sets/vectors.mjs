// `npm run vectors:www`: embeds the texts of the shipped sets, and writes public/sets/*.i8 and made.json.
//
// A file has 384 signed bytes for each example question, and then for each row. The largest number of a vector becomes
// 127. The engine compares directions only, so the lengths need not be kept. It takes some minutes, and only a change
// of the packages, the model or the examples makes it necessary: the build compares the digest in made.json.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ensureModel } from '../scripts/model.mjs'
import { DIMENSION, openModel } from './model.mjs'
import { SETS, textsOf } from './texts.mjs'

const BATCH = 32
const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/** Returns the vectors of texts, 8 bits a number. Texts of similar length go together, as padding is waste. */
async function embedded(embed, texts, label) {
  const order = [...texts.keys()].sort((a, b) => texts[a].length - texts[b].length)
  const bytes = new Int8Array(texts.length * DIMENSION)
  for (let from = 0; from < order.length; from += BATCH) {
    const some = order.slice(from, from + BATCH)
    const vectors = await embed(some.map((n) => texts[n]))
    some.forEach((n, i) => {
      const vector = vectors.subarray(i * DIMENSION, (i + 1) * DIMENSION)
      const most = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9)
      bytes.set(
        vector.map((value) => Math.round((value / most) * 127)),
        n * DIMENSION,
      )
    })
    if ((from / BATCH) % 50 === 0) console.log(`${label}: ${from} of ${texts.length}`)
  }
  return bytes
}

if (!(await ensureModel())) throw new Error('there is no local copy of the language model (the line above says why)')
const embed = await openModel()
mkdirSync(here('../public/sets'), { recursive: true })
const made = {}
for (const name of SETS) {
  const { texts, examples, digest } = textsOf(name)
  writeFileSync(here(`../public/sets/${name}.i8`), await embedded(embed, [...examples, ...texts], name))
  made[name] = { digest, rows: texts.length, examples: examples.length }
}
writeFileSync(here('made.json'), `${JSON.stringify(made, null, 2)}\n`)
