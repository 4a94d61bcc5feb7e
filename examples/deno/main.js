// Finds similar colours in a store in a directory.
import { Nidus } from 'nidus-wasm'

const db = await Nidus.open('./colours', { dimension: 3 })
if ((await db.count('colours')) === 0) {
  const colours = {
    red: [255, 0, 0],
    orange: [255, 165, 0],
    olive: [128, 128, 0],
    teal: [0, 128, 128],
    navy: [0, 0, 128],
  }
  await db.upsert(
    'colours',
    Object.entries(colours).map(([id, vector]) => ({ id, vector })),
  )
  console.log('wrote 5 colours')
}
for (const { id, score } of await db.search([200, 120, 10], { topK: 2 })) console.log(id, score.toFixed(3))
await db.close()
