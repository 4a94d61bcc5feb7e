import type { Held } from './current.js'
import { embedPassageTexts } from './embedder.js'
import type { Stored } from './passage-store.js'
import { COLLECTION, embeddedText, type PassageAttrs } from './records.js'
import type { Refusals } from './refusals.js'
import { endOf } from './waiting.js'

/** The number of batches whose passages are read and written together. */
export const BATCHES = 4

/**
 * Embeds passages and stores their vectors. Passages that meanwhile have a vector, another text, or are gone, are left
 * as they are. So are all, if the model is changed meanwhile: the change makes their vectors.
 */
export async function embedPassages(held: Held, ids: string[], refusals: Refusals, signal: AbortSignal) {
  const { current } = held
  const end = endOf([signal, current.replaced.signal])
  try {
    const found = await held.reading(({ store }) => store.get(ids), end.signal)
    const waiting = found.filter((found): found is Stored => found?.attrs._pending === true)
    const { vectors, refused } = await embedPassageTexts(
      current.settings.embedder!,
      waiting.map(({ attrs }) => embeddedText(attrs)),
      end.signal,
    )
    const write = async ({ store }: typeof current) => {
      const now = await store.get(waiting.map(({ id }) => id))
      const records = waiting.flatMap(({ id, attrs: { _hash } }, i) => {
        const attrs = now[i]?.attrs
        const vector = vectors.get(i)
        if (!vector || !attrs?._pending || attrs._hash !== _hash) return []
        return [{ id, vector, attrs: withVector(attrs) }]
      })
      if (records.length > 0) await store.writing((db) => db.upsert(COLLECTION, records))
    }
    await held.writing(async (now) => {
      if (now === current) await now.store.exclusive(() => write(now), end.signal)
    }, end.signal)
    for (const [i, error] of refused) refusals.add(waiting[i].id, waiting[i].attrs, error)
  } catch (error) {
    if (signal.aborted || !current.replaced.signal.aborted) throw error
  } finally {
    end.release()
  }
}

/** Returns the attributes of a passage that has its vector. */
export function withVector(attrs: PassageAttrs): PassageAttrs {
  const { _pending, ...rest } = attrs
  return rest
}
