import type { OpenOptions } from '../types/index.js'
import type { Embedder } from '../types/text-index.js'
import type { Current } from './current.js'
import { PassageStore, mismatch, type NidusClass } from './passage-store.js'
import { Questions } from './questions.js'
import { chunkerAs, type Settings } from './settings.js'
import { Copying, openNext, takePlace } from './copying.js'

/**
 * Opens the store of an index, and checks that its embedder is the one that it was made with. Documents are cut as
 * those that are there.
 */
export async function openCurrent(Class: NidusClass, name: string, settings: Settings): Promise<Current> {
  const { embedder } = settings
  const options = settings.store as OpenOptions
  const made = {
    dimension: embedder?.dimension ?? 1,
    model: embedder?.model ?? '',
    chunker: settings.chunker.name,
  }
  let store = await PassageStore.open(Class, name, options, made)
  try {
    const { passages } = await store.counts()
    const { model, chunker: was } = store.remembered
    if (passages === 0 && was !== settings.chunker.name) await store.remember({ chunker: settings.chunker.name })
    const chunker = passages === 0 ? settings.chunker : chunkerAs(was, settings, name)
    if (embedder) {
      const fits = store.db.dimension === embedder.dimension
      if (passages > 0 && model !== '' && (model !== embedder.model || !fits))
        throw mismatch(name, store.remembered, store.db.dimension, embedder)
      if (!fits) store = await gainEmbedder(Class, name, options, store, embedder)
      else if (model !== embedder.model) await store.remember({ model: embedder.model })
    }
    const replaced = new AbortController()
    const questions = embedder && new Questions(embedder, replaced.signal)
    return { store, settings: { ...settings, chunker }, questions, replaced }
  } catch (error) {
    await store.db.close()
    throw error
  }
}

/** Makes a store with the dimension of an embedder out of one without vectors. Its passages wait to be embedded. */
async function gainEmbedder(
  Class: NidusClass,
  name: string,
  options: OpenOptions,
  store: PassageStore,
  embedder: Embedder,
): Promise<PassageStore> {
  const { chunker, model } = store.remembered
  if (typeof options.storage === 'object')
    throw mismatch(name, { chunker, model: model || 'none' }, store.db.dimension, embedder)
  const made = { dimension: embedder.dimension, model: embedder.model, chunker }
  await store.refuseOthers()
  const next = await openNext(Class, name, options, embedder, chunker)
  await new Copying(store, next).pass()
  await store.db.close()
  await takePlace(Class, name, options, next)
  return PassageStore.open(Class, name, options, made)
}
