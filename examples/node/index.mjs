// Stores notes in a directory, and finds those that have words of the question. Run it twice: the second run finds the
// notes of the first one. A real program takes its vectors from an embedding model. This one counts words, so that it
// needs no model.
import { Nidus } from 'nidus-wasm'

const DIMENSION = 64

function embed(text) {
  const vector = new Float32Array(DIMENSION)
  for (const word of text.toLowerCase().match(/\w+/g) ?? []) {
    let hash = 7
    for (const letter of word) hash = (hash * 31 + letter.codePointAt(0)) >>> 0
    vector[hash % DIMENSION] += 1
  }
  return vector
}

const db = await Nidus.open('notes.nidus', { dimension: DIMENSION })
if ((await db.count('notes')) === 0) {
  const notes = [
    'buy bread and milk',
    'call the dentist on monday',
    'milk the goat at dawn',
    'write to the landlord about the roof',
  ]
  await db.upsert(
    'notes',
    notes.map((text, i) => ({ id: `note-${i}`, vector: embed(text), attrs: { text, done: false } })),
  )
  console.log(`wrote ${notes.length} notes`)
}
for (const { score, attrs } of await db.search(embed(process.argv[2] ?? 'who needs milk?'), {
  topK: 2,
  filter: { done: false },
})) {
  console.log(score.toFixed(3), attrs.text)
}
await db.close()
