import type { Held } from './current.js'
import { embedPassageTexts, type Made } from './embedder.js'
import type { Stored } from './passage-store.js'
import { COLLECTION, embeddedText, type PassageAttrs } from './records.js'
import type { Refusals } from './refusals.js'
import { endOf } from './waiting.js'

/** The number of batches whose passages are read together. */
export const BATCHES = 4

/** Vectors wait at most so many milliseconds to be stored, so that a slow model loses little if the page is closed. */
const UNSTORED = 1000

/**
 * Embeds passages and stores their vectors. Passages that meanwhile have a vector, another text, or are gone, are left
 * as they are. So are all, if the model is changed meanwhile: the change makes their vectors. `onStored` is called with
 * the number of passages whose vectors were stored before all were made.
 */
export async function embedPassages(
  held: Held,
  ids: string[],
  refusals: Refusals,
  signal: AbortSignal,
  onStored: (passages: number) => void,
) {
  const { current } = held
  const end = endOf([signal, current.replaced.signal])
  try {
    const found = await held.reading(({ store }) => store.get(ids), end.signal)
    const waiting = found.filter((found): found is Stored => found?.attrs._pending === true)
    const write = async ({ store }: typeof current, vectors: Made['vectors']) => {
      const made = [...vectors]
      const now = await store.get(made.map(([i]) => waiting[i].id))
      const records = made.flatMap(([i, vector], n) => {
        const attrs = now[n]?.attrs
        const { id, attrs: before } = waiting[i]
        return attrs?._pending && attrs._hash === before._hash ? [{ id, vector, attrs: withVector(attrs) }] : []
      })
      if (records.length > 0) await store.writing((db) => db.upsert(COLLECTION, records))
    }
    const store = (vectors: Made['vectors']) =>
      held.writing(async (now) => {
        if (now === current) await now.store.exclusive(() => write(now, vectors), end.signal)
      }, end.signal)
    let stored = performance.now()
    const { vectors, refused } = await embedPassageTexts(
      current.settings.embedder!,
      waiting.map(({ attrs }) => embeddedText(attrs)),
      end.signal,
      async (made) => {
        if (performance.now() - stored < UNSTORED || made.vectors.size === 0) return
        await store(made.vectors)
        onStored(made.vectors.size)
        made.vectors.clear()
        stored = performance.now()
      },
    )
    if (vectors.size > 0) await store(vectors)
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
