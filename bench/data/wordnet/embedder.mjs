// A process that embeds blocks of texts, for make.mjs. It sends the vectors of a block back as the bits of halves.
import { openModel } from '../../../www/sets/model.mjs'
import { halvesOf } from '../halves.mjs'

const model = openModel()

/** Embeds each text alone, so that no padding is needed and no vector depends on other texts. */
async function embedded(texts) {
  const embed = await model
  const vectors = []
  for (const text of texts) vectors.push(...(await embed([text])))
  return Float32Array.from(vectors)
}

process.on('message', async ({ id, texts, halves }) => {
  try {
    const vectors = await embedded(texts)
    process.send({ id, vectors: halves ? halvesOf(vectors) : vectors })
  } catch (error) {
    process.send({ id, error: String(error?.message ?? error) })
  }
})
// Without the parent, nobody else would end this process.
process.on('disconnect', () => process.exit())
