import type { Embedder } from '../types/text-index.js'
import { embedPassageTexts } from './embedder.js'
import type { PassageStore, Stored } from './passage-store.js'
import { COLLECTION, embeddedText, type PassageAttrs } from './records.js'

/** The number of batches whose passages are read and written together. */
export const BATCHES = 4

/**
 * Embeds passages and stores their vectors. Passages that meanwhile have a vector, another text, or are gone, are left
 * as they are.
 */
export async function embedPassages(store: PassageStore, embedder: Embedder, ids: string[], signal: AbortSignal) {
  const waiting = (await store.get(ids)).filter((found): found is Stored => found?.attrs._pending === true)
  const vectors = await embedPassageTexts(
    embedder,
    waiting.map(({ attrs }) => embeddedText(attrs)),
    signal,
  )
  await store.exclusive(async () => {
    const now = await store.get(waiting.map(({ id }) => id))
    const records = waiting.flatMap(({ id, attrs: { _hash } }, i) => {
      const attrs = now[i]?.attrs
      if (!attrs?._pending || attrs._hash !== _hash) return []
      return [{ id, vector: vectors[i], attrs: withVector(attrs) }]
    })
    if (records.length > 0) await store.db.upsert(COLLECTION, records)
  })
}

/** Returns the attributes of a passage that has its vector. */
export function withVector(attrs: PassageAttrs): PassageAttrs {
  const { _pending, ...rest } = attrs
  return rest
}
