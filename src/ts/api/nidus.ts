import type { Backend, OpenSpec } from '../contract/backend.js'
import { TEXT_KEY } from '../contract/text.js'
import { invalid, reading, storageError } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import {
  captureBatch,
  captureChanges,
  captureIds,
  captureQueries,
  captureQuery,
  checkSignal,
  collectionName,
  copyOf,
  giveBack,
} from '../arguments/input.js'
import {
  CREATE,
  OPEN,
  PERSISTENCE,
  RECORDS,
  SALVAGE,
  SEARCH,
  SET_TEXT,
  STORE,
  UPSERT,
  VECTOR_SEARCH,
} from '../arguments/keys.js'
import { checkName, checkOpen, checkOptions, checkStorage } from '../arguments/options.js'
import { runtime } from '../runtime/configure.js'
import type {
  Attrs,
  AttrsOf,
  CloseReason,
  ColumnarBatch,
  CreateCollectionOptions,
  Filter,
  Footprint,
  Hit,
  Hits,
  ImportOptions,
  ImportSource,
  ListOptions,
  Listed,
  ListenOptions,
  OpenOptions,
  Persistence,
  PersistenceOptions,
  Query,
  QuestionOptions,
  RecordChange,
  RecordInput,
  RecoveryReport,
  SalvageOptions,
  SalvageReport,
  SearchOptions,
  SetTextOptions,
  SignalOption,
  SimilarOptions,
  StaticOptions,
  StaticSource,
  StorageHost,
  StorageKind,
  StoreInfo,
  StoreListener,
  StoreOptions,
  TextConfig,
  TextSettings,
  UpsertOptions,
  Vector,
  VectorRecord,
  VectorSearchOptions,
} from '../types/index.js'
import { Reader, encodeMeta, isPlainObject, withTook } from '../core/wire.js'
import { listen, unlisten, unlistenAll } from './changes.js'
import { load, question, transfer } from './parts.js'
import { accepted, captureText, closeAfter, inTurn } from './accepted.js'
import { BACKEND, metaOf, pages, read, rowOf, searchAll, signalOf } from './reads.js'
import { ask, isShaped, list, shaped, similar } from './questions.js'

const currentPlatform = () => runtime.platform!
/** Most stores have no host of the caller's, so what checks one is loaded when it is needed. */
const userHost = async (own: StorageHost, name?: string) => (await load(import('../hosts/user.js'))).userHost(own, name)

/**
 * The public class of a store. Each method checks and copies its arguments in the turn of the call, and then calls the
 * backend: a store in this thread, in a worker or in another tab.
 */
export class Nidus<A extends AttrsOf<A> = Attrs> {
  readonly name: string
  readonly dimension: number
  readonly storage: string
  readonly recovery: RecoveryReport
  readonly closed: Promise<CloseReason>
  /** @internal */
  declare readonly [BACKEND]: () => Backend

  private constructor(name: string, backend: Backend) {
    this.name = name
    this.storage = backend.storage
    this.dimension = backend.dimension
    this.recovery = backend.recovery
    this.closed = backend.closed
    Object.defineProperty(this, BACKEND, { value: () => backend })
  }

  static async open<A extends AttrsOf<A> = Attrs>(name: string, options?: OpenOptions): Promise<Nidus<A>> {
    const checked = checkOptions(options, OPEN, 'open')
    const platform = currentPlatform()
    const storage = checkStorage(checked.storage, platform.defaultStorage)
    const spec = checkOpen(name, checked, storage)
    if (typeof storage === 'object') {
      await userHost(storage) // throws before the engine is loaded if the host lacks a method
      return new Nidus<A>(name, await platform.openOwn(spec, storage, checked.wasm))
    }
    return new Nidus<A>(
      name,
      await platform.open(spec as OpenSpec & { storage: StorageKind | undefined }, checked.worker, checked.wasm),
    )
  }

  static async list(options?: StoreOptions): Promise<StoreInfo[]> {
    const checked = checkOptions(options, STORE, 'list')
    const platform = currentPlatform()
    const storage = checkStorage(checked.storage, platform.defaultStorage)
    if (typeof storage === 'object') throw invalid('list knows no stores of a host that you wrote: ask the host')
    return platform.list(storage, checked)
  }

  static async destroy(name: string, options?: StoreOptions): Promise<void> {
    const checked = checkOptions(options, STORE, 'destroy')
    const platform = currentPlatform()
    const storage = checkStorage(checked.storage, platform.defaultStorage)
    if (typeof storage !== 'object') return platform.destroy(storage, checkName(name), checked)
    try {
      await (await userHost(storage, checkName(name))).destroy()
    } catch (error) {
      throw storageError(error, `the store "${checkName(name)}" could not be removed`, true)
    }
  }

  static async persistence(options?: PersistenceOptions): Promise<Persistence> {
    const checked = checkOptions(options, PERSISTENCE, 'persistence')
    return (await load(import('./persistence.js'))).persistence(checked)
  }

  static async salvage(name: string, into: string, options?: SalvageOptions): Promise<SalvageReport> {
    const checked = checkOptions(options, SALVAGE, 'salvage')
    const platform = currentPlatform()
    const storage = checkStorage(checked.storage, platform.defaultStorage)
    const { dimension } = checkOpen(name, { dimension: checked.dimension }, storage)
    if ((typeof storage === 'object') !== (checked.into !== undefined))
      throw invalid('salvage: pass `into`, a second host, if and only if `storage` is a host that you wrote')
    return platform.salvage(storage, { name, into: checkName(into), dimension }, checked)
  }

  static async import<A extends AttrsOf<A> = Attrs>(
    name: string,
    source: ImportSource | string | URL,
    options?: ImportOptions,
  ): Promise<Nidus<A>> {
    const { importStore } = await transfer()
    return new Nidus<A>(name, await importStore(currentPlatform(), name, source, options))
  }

  static async fromStatic<A extends AttrsOf<A> = Attrs>(
    source: string | URL | StaticSource,
    options?: StaticOptions,
  ): Promise<Nidus<A>> {
    const { openStatic } = await load(import('../static/index.js'))
    const backend = await openStatic(currentPlatform(), source, options)
    return new Nidus<A>(typeof source === 'string' || source instanceof URL ? `${source}` : 'static', backend)
  }

  async createCollection(name: string, options?: CreateCollectionOptions): Promise<void> {
    const { text } = checkOptions(options, CREATE, 'createCollection')
    const collection = collectionName(name)
    const backend = this[BACKEND]()
    if (text === undefined) await backend.call('createCollection', { collection })
    else if (text === null) throw invalid('createCollection: text is null')
    else await accepted(backend, backend.call('setText', { collection, text: captureText(text) }))
  }

  async dropCollection(name: string): Promise<boolean> {
    return this[BACKEND]().call('dropCollection', { collection: collectionName(name) })
  }

  async hasCollection(name: string): Promise<boolean> {
    return this[BACKEND]().call('hasCollection', { collection: collectionName(name) })
  }

  async collections(): Promise<string[]> {
    return new Reader(await this[BACKEND]().call('collections', {})).strings()
  }

  async getMeta(collection: string): Promise<Record<string, string>> {
    const { [TEXT_KEY]: _, ...meta } = await metaOf(this, collection)
    return meta
  }

  async setMeta(collection: string, meta: Record<string, string>): Promise<void> {
    await this[BACKEND]().call('setMeta', {
      collection: collectionName(collection),
      meta: reading('meta', () => {
        if (isPlainObject(meta) && meta[TEXT_KEY] !== undefined)
          throw invalid(`meta: \`${TEXT_KEY}\` is set by setText`)
        return encodeMeta(meta)
      }),
    })
  }

  async setText(collection: string, text: TextConfig | null, options?: SetTextOptions): Promise<void> {
    const { signal, onProgress } = checkOptions(options, SET_TEXT, 'setText')
    const given = { signal: checkSignal(signal), onProgress: inTurn(onProgress) }
    const name = collectionName(collection)
    const backend = this[BACKEND]()
    await accepted(backend, backend.call('setText', { collection: name, text: captureText(text) }, given))
  }

  async getText(collection: string): Promise<TextSettings | undefined> {
    const { [TEXT_KEY]: settings } = await metaOf(this, collection)
    return settings === undefined ? undefined : (await question()).decodeSettings(collection, settings)
  }

  async upsert(
    collection: string,
    batch: RecordInput<A> | RecordInput<A>[] | ColumnarBatch<A>,
    options?: UpsertOptions,
  ): Promise<number> {
    const { signal, onProgress, transfer } = checkOptions(options, UPSERT, 'upsert')
    const name = collectionName(collection)
    const {
      count,
      batch: wire,
      vectors,
      lent,
    } = captureBatch(batch, this.dimension, transfer === true ? 'transfer' : this[BACKEND]().borrows ? 'lend' : 'copy')
    let own = transfer === true || lent ? undefined : vectors
    const keep = lent ? () => (own = copyOf(vectors)) : undefined
    const report = inTurn(onProgress)
    const result = await this[BACKEND]().call(
      'upsert',
      { collection: name, count, batch: wire, vectors },
      { signal: checkSignal(signal), onProgress: report, keep },
    )
    report?.(count, count)
    if (own) giveBack(own)
    return result
  }

  async update(
    collection: string,
    changes: RecordChange<A> | RecordChange<A>[],
    options?: SignalOption,
  ): Promise<number> {
    return this[BACKEND]().call(
      'update',
      { collection: collectionName(collection), ...captureChanges(changes) },
      { signal: signalOf(options, 'update') },
    )
  }

  get(collection: string, id: string): Promise<VectorRecord<A> | undefined>
  get(collection: string, ids: string[]): Promise<(VectorRecord<A> | undefined)[]>
  async get(collection: string, ids: string | string[]) {
    const { ids: asked, wire: sent } = captureIds(ids)
    const { wire, vectors } = await this[BACKEND]().call('get', {
      collection: collectionName(collection),
      count: asked.length,
      ids: sent,
    })
    const reader = new Reader(wire)
    let row = 0
    const records = asked.map((id) =>
      reader.u8() === 0 ? undefined : { id, vector: rowOf(this, vectors, row++), attrs: reader.attrs<A>() },
    )
    return typeof ids === 'string' ? records[0] : records
  }

  records(collection: string, options?: { filter?: Filter<A> } & SignalOption): AsyncIterableIterator<VectorRecord<A>> {
    const name = collectionName(collection)
    const { filter, signal } = checkOptions(options, RECORDS, 'records')
    return pages<A>(this, name, encodeFilter(filter), checkSignal(signal))
  }

  async count(collection?: string, filter?: Filter<A>, options?: SignalOption): Promise<number> {
    return read(
      this[BACKEND](),
      'count',
      { collection: collection === undefined ? undefined : collectionName(collection), filter: encodeFilter(filter) },
      signalOf(options, 'count'),
    )
  }

  async delete(collection: string, ids: string | string[]): Promise<number> {
    const { ids: asked, wire } = captureIds(ids)
    return this[BACKEND]().call('delete', { collection: collectionName(collection), count: asked.length, ids: wire })
  }

  async deleteWhere(collection: string, filter: Filter<A>, options?: SignalOption): Promise<number> {
    // A forgotten argument must not delete everything.
    if (filter === undefined) throw invalid('deleteWhere needs a filter; {} deletes everything')
    return this[BACKEND]().call(
      'deleteWhere',
      { collection: collectionName(collection), filter: encodeFilter(filter) },
      { signal: signalOf(options, 'deleteWhere') },
    )
  }

  async search(query: Vector | Query, options?: VectorSearchOptions<A> | QuestionOptions<A>): Promise<Hits<Hit<A>>> {
    // `isPlainObject` is true of a proxy around an array, too.
    if (reading('the query', () => isPlainObject(query) && !('length' in query)))
      return ask<A>(this, query as Query, options)
    const vector = captureQuery(query, this.dimension)
    const checked = checkOptions<VectorSearchOptions<A>>(options, VECTOR_SEARCH, 'search')
    if (isShaped(checked)) return shaped<A>(this, vector, checked)
    const lists = await searchAll<A>(this, vector, checked)
    return withTook(lists[0], lists.took)
  }

  async searchMany(queries: Vector[], options?: SearchOptions<A>): Promise<Hit<A>[][]> {
    const all = captureQueries(queries, this.dimension)
    return searchAll<A>(this, all, checkOptions(options, SEARCH, 'searchMany'))
  }

  async similar(collection: string, id: string, options?: SimilarOptions<A>): Promise<Hits<Hit<A>>> {
    return similar<A>(this, collection, id, options)
  }

  async list(collection: string, options?: ListOptions<A>): Promise<Listed<A>> {
    return list<A>(this, collection, options)
  }

  async flush(): Promise<void> {
    await this[BACKEND]().call('flush', {})
  }

  async compact(): Promise<void> {
    await this[BACKEND]().call('compact', {})
  }

  async footprint(): Promise<Footprint> {
    return this[BACKEND]().call('footprint', {})
  }

  export(): ReadableStream<Uint8Array> {
    const backend = this[BACKEND]()
    const begun = backend.call('exportBegin', {})
    let tar: AsyncGenerator<Uint8Array> | undefined
    return new ReadableStream<Uint8Array>(
      {
        // Errors the stream at once if the export cannot begin.
        start: () => begun.then(() => {}),
        async pull(controller) {
          tar ??= (await transfer()).tarOf(backend, await begun)
          const { done, value } = await tar.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        async cancel() {
          await tar?.return(undefined)
          await backend.call('exportEnd', { id: (await begun).id }).catch(() => {})
        },
      },
      { highWaterMark: 0 },
    )
  }

  on(event: 'change', listener: StoreListener, options?: ListenOptions): () => void {
    return listen(this[BACKEND](), event, listener, options)
  }

  off(event: 'change', listener: StoreListener): void {
    unlisten(this[BACKEND](), event, listener)
  }

  close(): Promise<void> {
    unlistenAll(this[BACKEND]())
    return closeAfter(this[BACKEND]())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
