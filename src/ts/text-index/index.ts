import { checkSignal } from '../arguments/input.js'
import { checkName, checkOptions } from '../arguments/options.js'
import { isPlainObject } from '../core/wire.js'
import { NidusError, aborted, closedError, invalid, messageOf } from '../errors/errors.js'
import { Serial } from '../runtime/serial.js'
import type { Attrs, Nidus } from '../types/index.js'
import type {
  AddOptions,
  AddReport,
  DocumentInput,
  DocumentListOptions,
  Embedder,
  ListedDocument,
  StoredDocument,
  TextHits,
  TextIndexOptions,
  TextIndexState,
  TextSearchOptions,
} from '../types/text-index.js'
import { isEndless, storeDocuments } from './adding.js'
import { Held, type Current } from './current.js'
import { CLOSING, batchSize, closeEmbedder, promisedEmbedder } from './embedder.js'
import { BATCHES } from './embedding.js'
import { ADD, LIST } from './keys.js'
import { openCurrent } from './opening.js'
import type { NidusClass } from './passage-store.js'
import { Progress } from './progress.js'
import { EmbedQueue, type Task } from './queue.js'
import { COLLECTION, and, documentOf, listedOf, passageIds, type PassageAttrs } from './records.js'
import { changeModel } from './reembedding.js'
import { checkSearch, searchDocuments } from './searching.js'
import { settingsOf } from './settings.js'
import { atMost, endOf, inTurn, unlessEnded } from './waiting.js'

/** Returns the class of an index whose stores are opened by `Class`. */
export function textIndexOf(Class: NidusClass) {
  return class TextIndex<A = Attrs> {
    static async open<A = Attrs>(name: string, options?: TextIndexOptions): Promise<TextIndex<A>> {
      const current = await openCurrent(Class, checkName(name, "the index's name"), await settingsOf(options))
      await current.store.repair()
      return new TextIndex<A>(current)
    }

    readonly #held: Held
    readonly #queue: EmbedQueue
    /** Changes of the model, one after the other. */
    readonly #changes = new Serial()
    /** Calls that are storing or removing documents. */
    readonly #writes = new Set<Promise<unknown>>()
    #closing: Promise<void> | undefined

    private constructor(current: Current) {
      this.#held = new Held(current)
      this.#queue = new EmbedQueue(this.#held, () => BATCHES * batchSize(this.#held.current.settings.embedder!))
      const { embedder, resume } = current.settings
      // `state` tells what is left if it fails.
      if (embedder && resume) void this.#embedAll(new Progress('open', undefined), undefined, false).catch(() => {})
    }

    get db(): Nidus {
      return this.#held.current.store.db
    }

    async add(
      documents: DocumentInput<A> | Iterable<DocumentInput<A>> | AsyncIterable<DocumentInput<A>>,
      options?: AddOptions,
    ): Promise<AddReport> {
      const { onProgress, signal } = checkAdd(options, 'add')
      const progress = new Progress('add', onProgress)
      if (this.#closing) throw closedError(this.db.name)
      const store = (task?: Task) => {
        const storing = storeDocuments(this.#held, documents, task, progress, signal)
        return isEndless(documents) ? storing : this.#writing(storing)
      }
      if (!this.#held.current.settings.embedder) return { ...(await store()).report, embedded: 0 }
      const { report, uncounted } = await this.#embedding(progress, signal, { all: false, waited: true }, store)
      if (uncounted) throw uncounted
      return report
    }

    /** `close` waits for such work. */
    async #writing<T>(work: Promise<T>): Promise<T> {
      this.#writes.add(work)
      try {
        return await work
      } finally {
        this.#writes.delete(work)
      }
    }

    /** Resolves once `store` has, and the passages that it adds to its task are embedded. */
    async #embedding<T>(
      progress: Progress,
      signal: AbortSignal | undefined,
      { all, waited }: { all: boolean; waited: boolean },
      store: (task: Task) => Promise<T>,
    ): Promise<T> {
      const task = this.#queue.begin(all, waited, (done) => {
        progress.embedded = done
        progress.tell()
      })
      const stored = all ? 'what is embedded is kept' : 'all documents of this call are stored'
      const end = endOf([], signal, (signal) => aborted(signal, `aborted: ${stored}, and the rest is embedded later`))
      const { signal: closed } = this.#held.closed
      try {
        progress.beginEmbedding()
        const result = await store(task)
        await unlessEnded(task.end(), end.signal).catch((error: unknown) => {
          if (error !== closed.reason) throw error
          throw new NidusError('CLOSED', `${messageOf(error)}: ${stored}, and the next opening embeds the rest`)
        })
        // Some of its passages may have been embedded with those of another call.
        progress.finish()
        return result
      } catch (error) {
        this.#queue.drop(task, error)
        throw error
      } finally {
        end.release()
      }
    }

    async embedAll(options?: AddOptions): Promise<void> {
      const { onProgress, signal } = checkAdd(options, 'embedAll')
      if (!this.#held.current.settings.embedder) throw invalid('embedAll: the index was opened without an embedder')
      await this.#embedAll(new Progress('embedAll', onProgress), signal, true)
    }

    async #embedAll(progress: Progress, signal: AbortSignal | undefined, waited: boolean) {
      await this.#embedding(progress, signal, { all: true, waited }, async () => {
        const { pending, documents } = await this.state().then(({ passages, embedded, documents }) => ({
          pending: passages - embedded,
          documents,
        }))
        Object.assign(progress, { passages: pending, documents })
        progress.tell()
      })
    }

    async remove(ids: string | string[]): Promise<number> {
      const all = typeof ids === 'string' ? [ids] : ids
      if (!Array.isArray(all) || !all.every((id) => typeof id === 'string'))
        throw invalid('remove: give the id of a document, or a list of ids')
      const remove = async ({ store }: Current) => {
        const firsts = (await store.firsts([...new Set(all)])).filter((first) => first !== undefined)
        const passages = firsts.flatMap(({ attrs: { _doc, _of = 1, _was = 0 } }) =>
          passageIds(_doc, 0, Math.max(_of, _was)),
        )
        if (passages.length > 0) await store.writing((db) => db.delete(COLLECTION, passages))
        return firsts.length
      }
      if (this.#closing) throw closedError(this.db.name)
      const held = this.#held
      return this.#writing(
        held.inOrder(all, () =>
          held.writing((current) => current.store.exclusive(() => remove(current), held.closed.signal)),
        ),
      )
    }

    async search(question: string, options?: TextSearchOptions<A>): Promise<TextHits<A>> {
      const asked = checkSearch<A>(question, options, this.#held.current.settings.embedder)
      return searchDocuments<A>(this.#held, asked)
    }

    async get(id: string): Promise<StoredDocument<A> | undefined> {
      if (typeof id !== 'string') throw invalid('get: the id of a document is a text')
      return this.#held.reading(async ({ store }) => {
        const [first] = await store.firsts([id])
        if (!first) return undefined
        const { _of = 1 } = first.attrs
        const rest = (await store.get(passageIds(id, 1, _of))).filter((passage) => passage !== undefined)
        return documentOf<A>([first, ...rest].map(({ attrs }) => attrs))
      })
    }

    async list(options?: DocumentListOptions<A>): Promise<ListedDocument<A>[]> {
      const { filter, ...rest } = checkOptions(options, LIST, 'list') as DocumentListOptions
      if (filter !== undefined && !isPlainObject(filter)) throw invalid('list: `filter` is a plain object')
      const only = and({ _n: 0 }, filter)
      const found = await this.#held.reading(({ store }) => store.db.list(COLLECTION, { ...rest, filter: only }))
      return found.map(({ attrs }) => listedOf<A>(attrs as PassageAttrs))
    }

    async reembed(given: Embedder | PromiseLike<Embedder>, options?: AddOptions): Promise<void> {
      const { onProgress, signal } = checkAdd(options, 'reembed')
      const progress = new Progress('reembed', onProgress)
      const end = endOf([this.#held.closed.signal], signal, (signal) =>
        aborted(signal, 'aborted: the vectors that are made are kept, and another `reembed` goes on there'),
      )
      try {
        const embedder = await promisedEmbedder(given, 'reembed', end.signal)
        await inTurn(
          (work) => this.#changes.run(work),
          () => changeModel(Class, this.#held, embedder, progress, end.signal),
          end.signal,
        )
      } finally {
        end.release()
      }
    }

    pause() {
      this.#queue.pause()
    }

    resume() {
      this.#queue.resume()
    }

    async state(): Promise<TextIndexState> {
      return this.#held.reading(async ({ store }) => {
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
      })
    }

    close(): Promise<void> {
      this.#closing ??= this.#close()
      return this.#closing
    }

    async #close() {
      if (this.#writes.size > 0) await atMost(Promise.allSettled(this.#writes), CLOSING)
      this.#held.closed.abort(closedError(this.db.name))
      // A change of the model that is under way ends soon, and may still replace the store.
      await this.#changes.idle
      const { store, settings, replaced } = this.#held.current
      replaced.abort()
      await this.#queue.idle
      await store.db.close()
      await closeEmbedder(settings.embedder, 'The index is closed')
    }

    async [Symbol.asyncDispose]() {
      await this.close()
    }
  }
}

function checkAdd(given: AddOptions | undefined, place: string): AddOptions {
  const { onProgress, signal } = checkOptions(given, ADD, place) as AddOptions
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalid(`${place}: \`onProgress\` is a function`)
  checkSignal(signal)
  return { ...(onProgress && { onProgress }), ...(signal && { signal }) }
}
