import type { RecordInput } from '../types/index.js'
import type { Embedder } from '../types/text-index.js'
import { batchSize, embed } from './embedder.js'
import type { PassageStore, Stored } from './passage-store.js'
import { COLLECTION, embeddedTextOf, type PassageAttrs } from './records.js'

/** The number of batches whose passages are read and written together. */
export const BATCHES = 4

/**
 * Embeds passages and stores their vectors. Passages that meanwhile have a vector, another text, or are gone, are left
 * as they are.
 */
export async function embedPassages(store: PassageStore, embedder: Embedder, ids: string[], signal: AbortSignal) {
  const waiting = (await store.get(ids)).filter((found): found is Stored => found?.attrs._pending === true)
  // A batch is padded to its longest text, so texts of similar length form a batch.
  const texts = waiting
    .map(({ id, attrs }) => ({ id, text: embeddedTextOf(attrs), hash: attrs._hash }))
    .sort((a, b) => a.text.length - b.text.length)
  const size = batchSize(embedder)
  const vectors = new Map<string, { vector: Float32Array; hash: string }>()
  for (let at = 0; at < texts.length; at += size) {
    const batch = texts.slice(at, at + size)
    const all = await embed(
      embedder,
      batch.map(({ text }) => text),
      { kind: 'passage', signal },
    )
    const { dimension } = embedder
    batch.forEach(({ id, hash }, i) =>
      vectors.set(id, { vector: all.subarray(i * dimension, (i + 1) * dimension), hash }),
    )
  }
  await store.exclusive(async () => {
    const now = (await store.get([...vectors.keys()])).filter((found): found is Stored => found !== undefined)
    const records: RecordInput[] = []
    for (const { id, attrs } of now) {
      const made = vectors.get(id)
      if (!attrs._pending || made?.hash !== attrs._hash) continue
      records.push({ id, vector: made.vector, attrs: withVector(attrs) })
    }
    if (records.length > 0) await store.db.upsert(COLLECTION, records)
  })
}

/** Returns the attributes of a passage that has its vector. */
export function withVector(attrs: PassageAttrs): PassageAttrs {
  const { _pending, ...rest } = attrs
  return rest
}
