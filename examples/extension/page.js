import { Nidus } from 'nidus-wasm'

const output = document.querySelector('output')
try {
  const db = await Nidus.open('openings', { dimension: 2 })
  await db.upsert('openings', [{ id: crypto.randomUUID(), vector: [Math.random(), 1], attrs: { at: new Date() } }])
  output.textContent = await db.count('openings')
} catch (error) {
  output.textContent = `${error.code}: ${error.message}`
}
