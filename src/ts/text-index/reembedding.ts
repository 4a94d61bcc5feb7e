import { NidusError } from '../errors/errors.js'
import type { OpenOptions } from '../types/index.js'
import type { Embedder } from '../types/text-index.js'
import { Copying, openNext, takePlace } from './copying.js'
import type { Held } from './current.js'
import { closeEmbedder } from './embedder.js'
import { openCurrent } from './opening.js'
import type { NidusClass } from './passage-store.js'
import type { Progress } from './progress.js'
import { COLLECTION } from './records.js'

/**
 * Makes the vectors of another model beside the old ones, and puts them in their place. `signal` ends the wait for the
 * embedder, and its reason is thrown.
 */
export async function changeModel(
  Class: NidusClass,
  held: Held,
  embedder: Embedder,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { store, settings } = held.current
  const { name, storage } = store.db
  const options = { ...settings.store } as OpenOptions
  if (storage === 'memory' || typeof options.storage === 'object')
    throw new NidusError('UNSUPPORTED', 'reembed: this storage cannot hold a second store. Make a new index')
  await store.refuseOthers()
  const next = await openNext(Class, name, options, embedder, store.remembered.chunker)
  const count = async () => {
    const waits = { $or: [{ text: { $ne: '' } }, { title: { $exists: true } }, { headings: { $exists: true } }] }
    progress.documents = await store.db.count(COLLECTION, { _n: 0 })
    progress.passages = await store.db.count(COLLECTION, waits)
  }
  let kept = 0
  const onDone = (made: number) => {
    progress.embedded = kept + made
    progress.tell()
  }
  const copying = new Copying(store, next, { embedder, signal, onDone })
  try {
    await count()
    // What an earlier call made is there already.
    kept = (await next.db.count(COLLECTION)) - (await next.counts()).pending
    progress.embedded = kept
    progress.beginEmbedding()
    progress.tell()
    // What is added meanwhile is copied by another pass. Once a pass has little to do, the last one lets nobody write.
    while ((await copying.pass()) > 0) await count()
    await held.alone(
      (shut) =>
        store.exclusive(async () => {
          await store.refuseOthers()
          await copying.pass()
          await shut()
          await store.db.close()
          let now = settings
          try {
            await takePlace(Class, name, options, next)
            now = { ...settings, embedder }
          } finally {
            held.current = await openCurrent(Class, name, now)
          }
        }, signal),
      signal,
    )
    await count().catch(() => {})
  } catch (error) {
    await next.db.close()
    throw error
  }
  const done = ' The model is changed.'
  if (settings.embedder !== embedder) await closeEmbedder(settings.embedder, done.trim())
  if (copying.refusals.size > 0) throw copying.refusals.error(done)
}
