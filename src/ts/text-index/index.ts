import { checkSignal } from '../arguments/input.js'
import { checkName, checkOptions } from '../arguments/options.js'
import { NidusError, closedError, invalid } from '../errors/errors.js'
import type { Attrs, Nidus, OpenOptions } from '../types/index.js'
import type {
  AddOptions,
  AddReport,
  DocumentInput,
  Embedder,
  StoredDocument,
  TextHits,
  TextIndexOptions,
  TextIndexState,
  TextSearchOptions,
} from '../types/text-index.js'
import { Progress, storeDocuments } from './adding.js'
import { batchSize, checkEmbedder } from './embedder.js'
import { BATCHES, embedPassages } from './embedding.js'
import { ADD } from './keys.js'
import { PassageStore, mismatch, type NidusClass } from './passage-store.js'
import { EmbedQueue } from './queue.js'
import { COLLECTION, documentOf, passageIds } from './records.js'
import { copyPassages, openNext, takePlace } from './reembedding.js'
import { Questions, checkSearch, searchDocuments } from './searching.js'
import { chunkerAs, settingsOf, type Settings } from './settings.js'

/** Returns the class of an index whose stores are opened by `Class`. */
export function textIndexOf(Class: NidusClass) {
  return class TextIndex<A = Attrs> {
    static async open<A = Attrs>(name: string, options?: TextIndexOptions): Promise<TextIndex<A>> {
      const { store, settings } = await openStore(Class, checkName(name, "the index's name"), settingsOf(options))
      await store.repair()
      return new TextIndex<A>(store, settings)
    }

    #store: PassageStore
    #settings: Settings
    readonly #queue: EmbedQueue
    #questions: Questions | undefined
    #closed: Promise<void> | undefined
    /** Ends what the embedder does when the index is closed. */
    readonly #end = new AbortController()
    /** Resolves once a change of the model is over. Every call waits for it. */
    #switching: Promise<void> = Promise.resolve()

    private constructor(store: PassageStore, settings: Settings) {
      this.#store = store
      this.#settings = settings
      this.#queue = new EmbedQueue(
        (ids) => embedPassages(this.#store, this.#settings.embedder!, ids, this.#end.signal),
        () => BATCHES * batchSize(this.#settings.embedder!),
      )
      this.#questions = settings.embedder && new Questions(settings.embedder)
      if (settings.embedder && settings.resume) void this.embedAll().catch(() => {}) // `state` tells what is left
    }

    get db(): Nidus {
      return this.#store.db
    }

    /** Waits until the store can be used. */
    async #ready(): Promise<PassageStore> {
      await this.#switching
      if (this.#closed) throw closedError(this.#store.db.name)
      return this.#store
    }

    async add(
      documents: DocumentInput<A> | Iterable<DocumentInput<A>> | AsyncIterable<DocumentInput<A>>,
      options?: AddOptions,
    ): Promise<AddReport> {
      const { onProgress, signal } = checkAdd(options, 'add')
      const store = await this.#ready()
      const progress = new Progress(onProgress)
      const { report, pending } = await storeDocuments(store, this.#settings, documents, progress, signal)
      if (!this.#settings.embedder) return { ...report, embedded: 0 }
      await this.#embed(pending, progress, signal)
      return report
    }

    async #embed(ids: string[], progress: Progress, signal: AbortSignal | undefined) {
      progress.passages = ids.length
      progress.beginEmbedding()
      await this.#queue.add(ids, signal, (done) => {
        progress.embedded = done
        progress.tell()
      })
    }

    async embedAll(options?: AddOptions): Promise<void> {
      const { onProgress, signal } = checkAdd(options, 'embedAll')
      const store = await this.#ready()
      if (!this.#settings.embedder) throw invalid('embedAll: the index was opened without an embedder')
      await this.#embed(await store.pending(), new Progress(onProgress), signal)
    }

    async remove(ids: string | string[]): Promise<number> {
      const all = typeof ids === 'string' ? [ids] : ids
      if (!Array.isArray(all) || !all.every((id) => typeof id === 'string'))
        throw invalid('remove: give the id of a document, or a list of ids')
      const store = await this.#ready()
      const remove = async () => {
        const firsts = (await store.firsts([...new Set(all)])).filter((first) => first !== undefined)
        const passages = firsts.flatMap(({ attrs: { _doc, _of = 1, _was = 0 } }) =>
          passageIds(_doc, 0, Math.max(_of, _was)),
        )
        if (passages.length > 0) await store.db.delete(COLLECTION, passages)
        return firsts.length
      }
      return store.inOrder(() => store.exclusive(remove))
    }

    async search(question: string, options?: TextSearchOptions<A>): Promise<TextHits<A>> {
      const asked = checkSearch<A>(question, options, this.#settings.embedder)
      await this.#ready()
      const share = async () => {
        const { passages, pending } = await this.#store.counts()
        if (passages === 0 || !this.#store.remembered.model) return 0
        return (passages - pending) / passages
      }
      return searchDocuments<A>(() => this.#store.db, asked, this.#questions, share)
    }

    async get(id: string): Promise<StoredDocument<A> | undefined> {
      if (typeof id !== 'string') throw invalid('get: the id of a document is a text')
      const store = await this.#ready()
      const [first] = await store.firsts([id])
      if (!first) return undefined
      const { _of = 1 } = first.attrs
      const rest = (await store.get(passageIds(id, 1, _of))).filter((passage) => passage !== undefined)
      return documentOf<A>([first, ...rest].map(({ attrs }) => attrs))
    }

    async reembed(embedder: Embedder, options?: AddOptions): Promise<void> {
      checkEmbedder(embedder, 'reembed')
      const { onProgress, signal } = checkAdd(options, 'reembed')
      const store = await this.#ready()
      const { name, storage } = store.db
      const opened = { ...this.#settings.store } as OpenOptions
      if (storage === 'memory' || typeof opened.storage === 'object')
        throw new NidusError('UNSUPPORTED', 'reembed: this storage cannot hold a second store. Make a new index')
      await store.refuseOthers()
      const next = await openNext(Class, name, opened, embedder, store.remembered.chunker)
      const progress = new Progress(onProgress)
      try {
        progress.passages = (await store.counts()).passages
        progress.beginEmbedding()
        let before = 0
        const pace = async (embedded: number) => {
          if (signal?.aborted || this.#closed) throw this.#closed ? closedError(name) : abortedLater(signal!)
          progress.embedded = before + embedded
          progress.tell()
        }
        // What is added meanwhile is copied by another pass. Once a pass has little to do, the last one lets nobody
        // write.
        for (let made = Infinity; made > 0; before += made)
          made = await copyPassages(store, next, embedder, pace, signal)
        const paused = this.#queue.paused
        // What waits to be embedded has its vectors afterwards.
        await this.#queue.quiet()
        try {
          await store.exclusive(async () => {
            await store.refuseOthers()
            await copyPassages(store, next, embedder, pace, signal)
            await this.#switch(next, embedder, opened)
          })
        } finally {
          if (!paused) this.#queue.resume()
        }
      } catch (error) {
        await next.db.close()
        throw error
      }
    }

    async #switch(next: PassageStore, embedder: Embedder, options: OpenOptions) {
      let over!: () => void
      this.#switching = new Promise<void>((resolve) => (over = resolve))
      const { name } = this.#store.db
      const old = this.#settings
      try {
        await this.#store.db.close()
        try {
          await takePlace(Class, name, options, next)
          this.#settings = { ...old, embedder }
          this.#questions = new Questions(embedder)
        } finally {
          ;({ store: this.#store, settings: this.#settings } = await openStore(Class, name, this.#settings))
        }
        await old.embedder?.close?.()
      } finally {
        over()
      }
    }

    pause() {
      this.#queue.pause()
    }

    resume() {
      this.#queue.resume()
    }

    async state(): Promise<TextIndexState> {
      const store = await this.#ready()
      const [{ passages, pending }, documents] = await Promise.all([
        store.counts(),
        store.db.count(COLLECTION, { _n: 0 }),
      ])
      const model = store.remembered.model || undefined
      return {
        model,
        documents,
        passages,
        embedded: model ? passages - pending : 0,
        embedding: this.#queue.running,
        paused: this.#queue.paused,
      }
    }

    close(): Promise<void> {
      this.#closed ??= this.#close()
      return this.#closed
    }

    async #close() {
      await this.#switching
      const error = closedError(this.#store.db.name)
      this.#end.abort(error)
      await this.#queue.close(error)
      await this.#store.db.close()
      await this.#settings.embedder?.close?.()
    }

    async [Symbol.asyncDispose]() {
      await this.close()
    }
  }
}

const abortedLater = ({ reason }: AbortSignal) =>
  new NidusError('ABORTED', 'aborted: what is embedded is kept, and another `reembed` goes on there', { cause: reason })

function checkAdd(given: AddOptions | undefined, place: string): AddOptions {
  const { onProgress, signal } = checkOptions(given, ADD, place) as AddOptions
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalid(`${place}: \`onProgress\` is a function`)
  checkSignal(signal)
  return { ...(onProgress && { onProgress }), ...(signal && { signal }) }
}

/**
 * Opens the store of an index, and checks that its embedder is the one that it was made with. Documents are cut as
 * those that are there.
 */
async function openStore(Class: NidusClass, name: string, settings: Settings) {
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
    return { store, settings: { ...settings, chunker } }
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
  await copyPassages(store, next, undefined, async () => {}, undefined)
  await store.db.close()
  await takePlace(Class, name, options, next)
  return PassageStore.open(Class, name, options, made)
}
