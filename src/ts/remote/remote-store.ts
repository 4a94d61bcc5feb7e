import { isRead, isWrite, type Args, type Method, type Result } from '../contract/calls.js'
import type { Backend, CallOptions, OpenSpec, SalvageSpec, Source } from '../contract/backend.js'
import { inTime, sleep } from '../runtime/schedule.js'
import { newSender } from '../contract/tickets.js'
import { Ledger, type PendingCall } from '../messages/ledger.js'
import { Unflushed, mayBeLost } from '../messages/unflushed.js'
import { NidusError, aborted, closedError, failedError, messageOf, unpackError } from '../errors/errors.js'
import { giveBack } from '../arguments/input.js'
import type { CloseReason, RecoveryReport, StorageKind } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'
import { answer, taken, unpackRecovery, type Answer } from '../messages/answer.js'
import { keep } from '../messages/poster.js'
import { WorkerConnection } from './worker-connection.js'
import { watchPage } from './page-life.js'
import type { PageSide, WireSource } from './protocol.js'

/** Makes the `wasm` option something that a worker can be sent. Relative addresses are resolved as the page's. */
async function read(wasm: WasmSource | undefined): Promise<WireSource | undefined> {
  if (wasm === undefined || wasm instanceof WebAssembly.Module) return wasm
  if (typeof wasm === 'string' || wasm instanceof URL) return new URL(wasm, globalThis.location?.href).href
  if (wasm instanceof Response) {
    if (!wasm.ok) throw new Error(`${wasm.url} answered ${wasm.status}`)
    return inTime(wasm.arrayBuffer())
  }
  return ArrayBuffer.isView(wasm) ? wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength) : wasm
}

export const sendable = (wasm: WasmSource | undefined) =>
  read(wasm).catch((error: unknown) => {
    throw new NidusError('FAILED', `the .wasm file could not be loaded: ${messageOf(error)}`, { cause: error })
  })

/** How long closing may take after all calls have been answered. */
const CLOSE_MS = 10_000

/**
 * Starts a worker. `whole` demands the worker that has everything; otherwise the small one for OPFS will do. A function
 * of the page's own may start the whole one in both cases.
 */
export interface StartWorker {
  (whole: boolean): Worker
  /** True if the package supplies it. If the page may not start that worker, it is started in another way. */
  packaged?: boolean
  /** Compiles the package's own wasm while the worker starts (see core/ahead.ts). */
  ahead?: { module(): Promise<WebAssembly.Module | undefined>; forget(): void }
}

/** Returns `navigator.storage`. Where storage is denied, even reading that property may throw. */
function storageOf(): Partial<StorageManager> | undefined {
  try {
    return navigator.storage
  } catch {
    return undefined
  }
}

/** Returns whether the small worker is probably enough. */
const isOrdinary = ({ storage, workers }: OpenSpec) =>
  (storage === undefined || storage === 'opfs') && workers === 1 && typeof storageOf()?.getDirectory === 'function'

/**
 * If the arguments of a write have at most this many bytes, the page keeps a copy, in case the write must be sent
 * again. The arguments themselves are transferred to the worker.
 */
const KEPT = 4 * 1024 * 1024

/**
 * A store in a worker of its own. While the browser has suspended the page there is no worker, so that another tab can
 * go on with the store.
 */
export class RemoteStore implements Backend {
  dimension = 0
  storage = ''
  recovery!: RecoveryReport
  readonly closed: Promise<CloseReason>
  readonly #spec: OpenSpec
  readonly #start: StartWorker
  #whole: boolean
  readonly #wasm: WireSource | undefined
  /** The source of an import, until it has been imported. */
  #source: Source | undefined
  #connection: WorkerConnection | undefined
  /** The connection to the worker that is opening the store, or has it. */
  #worker: WorkerConnection | undefined
  #asleep = false
  #unwatch = () => {}
  #failure: NidusError | undefined
  #ended!: (reason: CloseReason) => void
  #closing: Promise<void> | undefined
  readonly #ledger: Ledger<WorkerConnection>
  readonly #unflushed: Unflushed

  static async open(
    spec: OpenSpec,
    start: StartWorker,
    wasm: WasmSource | undefined,
    source: Source | undefined,
  ): Promise<RemoteStore> {
    const store = new RemoteStore(spec, start, await sendable(wasm), source)
    // Not for a store in memory, which would end with its worker, and not for a reader, which blocks no other tab.
    if (spec.storage !== 'memory' && !spec.readOnly)
      store.#unwatch = watchPage(
        () => store.#sleep(),
        () => store.#wake(),
        () => store.#hide(),
      )
    try {
      await store.#connect()
      return store
    } catch (error) {
      store.#unwatch()
      throw error
    }
  }

  private constructor(spec: OpenSpec, start: StartWorker, wasm: WireSource | undefined, source: Source | undefined) {
    // The writes of a store in memory need no tickets: it ends with its worker.
    this.#spec = spec.storage === 'memory' ? spec : { ...spec, sender: newSender() }
    this.#unflushed = new Unflushed(spec)
    this.#ledger = new Ledger(this.#spec.sender, ({ number, sentTo }) => {
      sentTo?.tell('cancel', number)
      sentTo?.directReads?.cancel(number)
      return true
    })
    this.#start = start
    this.#wasm = wasm
    this.#source = source
    // A function without a parameter starts only the worker that has everything.
    this.#whole = source !== undefined || start.length === 0 || !isOrdinary(spec)
    this.closed = new Promise((resolve) => (this.#ended = resolve))
  }

  #connect(): Promise<void> {
    return (this.#connecting ??= this.#untilConnected().finally(() => (this.#connecting = undefined)))
  }

  async #untilConnected() {
    const page: PageSide = {
      part: () => answer(() => this.#source!.parts()),
      progress: (number, done, total) => this.#ledger.onProgress(number, done, total),
      failed: (message) => {
        const error = unpackError(message)
        this.#failure ??= failedError(this.#spec.name, error)
        this.#ended({ reason: 'failed', error })
      },
      compactionError: (message) => (this.recovery.compactionError = unpackError(message)),
      direct: (...tab) => this.#start.packaged && this.#worker?.direct(this.#start, ...tab),
      searchWorker: (...args) => this.#worker?.searchWorker(...args),
    }
    for (;;) {
      let connection: WorkerConnection | undefined
      const whole = this.#whole
      // A store with search workers needs another module.
      const ahead = this.#wasm === undefined && this.#spec.workers === 1 ? this.#start.ahead?.module() : undefined
      try {
        connection = await WorkerConnection.connect(
          () => this.#start(whole),
          page,
          (error) => (whole || this.#connection) && this.#died(error),
          (made) => (this.#worker = made),
          this.#start.packaged,
        )
        const wasm = this.#wasm ?? (await ahead)
        if (this.#worker !== connection) {
          // The page was suspended meanwhile, and perhaps goes on already.
          await this.#awake()
          continue
        }
        // When it connects again, no dimension is given: a store that has vanished must not be created anew.
        const opened = taken(
          await connection.ask(
            'open',
            this.recovery ? { ...this.#spec, dimension: undefined } : this.#spec,
            wasm,
            this.#source?.replace,
          ),
        )
        if (!opened) {
          connection.end()
          this.#whole = true
          continue
        }
        // Before anything is sent: find out whether the store has all writes that the former worker acknowledged.
        if (this.#unflushed.last)
          this.#unflushed.found(
            taken(await connection.ask('call', 0, 'newest', { sender: this.#spec.sender }, false, undefined)) as number,
          )
        this.#connection = connection
        this.#source = undefined
        if (!this.recovery) {
          this.dimension = opened.dimension
          this.storage = opened.storage
          this.recovery = unpackRecovery(opened)
        }
        break
      } catch (error) {
        connection?.end()
        this.#start.ahead?.forget()
        if (!this.#asleep) {
          // The small worker's file may be missing: a page may have only a copy of worker.js.
          if (whole || (error as NidusError).code !== 'WORKER_FAILED') throw error
          this.#whole = true
          continue
        }
        // The bytes that the worker had read of the source are lost.
        if (this.#source) throw suspended()
        await this.#awake()
      }
    }
    for (const call of this.#ledger.waiting) this.#send(call)
  }

  #died(error: NidusError) {
    this.#failure ??= error
    this.#ended({ reason: 'failed', error })
  }

  /** Set while a connection is made. That goes on by itself when a suspended page does. */
  #connecting: Promise<void> | undefined
  #woken: () => void = () => {}
  #awake(): Promise<void> {
    return this.#asleep ? new Promise((resolve) => (this.#woken = resolve)) : Promise.resolve()
  }

  /** Ends the worker, as a crash would: it could finish nothing while the page is frozen. */
  #sleep() {
    if (this.#asleep || this.#closing || this.#failure) return
    this.#asleep = true
    if (this.#connection) this.#ledger.lost(this.#connection)
    this.#connection = undefined
    this.#worker?.end()
    this.#worker = undefined
  }

  #wake() {
    if (!this.#asleep) return
    this.#asleep = false
    this.#woken()
    if (!this.recovery) return
    this.#connect().catch((error: NidusError) => {
      this.#died(error)
      for (const { reject } of this.#ledger.calls) reject(error)
    })
  }

  /** Flushes when the page is hidden. No later event is sure to reach the page. */
  #hide() {
    if (!this.#unflushed.last || this.#unflushed.lost || !this.#connection || this.#closing) return
    // If writes were lost, the next flush of the caller must say so, and not this one.
    this.call('flush', {}).catch(() => (this.#unflushed.lost = true))
  }

  call<M extends Method>(method: M, args: Args<M>, options: CallOptions = {}): Promise<Result<M>> {
    const { signal } = options
    if (this.#closing) return Promise.reject(closedError(this.#spec.name))
    if (this.#failure) return Promise.reject(this.#failure)
    if (signal?.aborted) return Promise.reject(aborted(signal))
    const call = this.#ledger.add(method, args, options)
    this.#send(call)
    return call.done as Promise<Result<M>>
  }

  #send(call: PendingCall<WorkerConnection>) {
    const { number, method, args = {}, options, ticket, resolve, reject } = call
    const connection = this.#connection
    if (!connection) return
    this.#ledger.sent(call, connection)
    if (!isWrite(method)) keep(args)
    else call.args = ticket && bytesOf(args) <= KEPT ? structuredClone(args) : undefined
    const ask = (method: Method, args: object) =>
      connection.ask('call', number, method, args, options.onProgress !== undefined, ticket)
    const asked: ReturnType<typeof ask> =
      (isRead(method) && connection.directReads?.ask(call, ask)) || ask(method, args)
    asked
      .then((answered) => {
        if (answered.spare) giveBack(answered.spare)
        const value = taken(answered)
        this.#unflushed.answered(method, ticket, value)
        resolve(value)
      })
      .catch((error: NidusError) => {
        if (call.sentTo !== connection) return
        // The reason of the signal is not sent to the worker. This is the caller's signal, with its reason.
        reject(error.code === 'ABORTED' && options.signal ? aborted(options.signal) : error)
      })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close() {
    this.#unwatch()
    try {
      // The worker is ended even if a call of the browser's never returns in it.
      const late = this.#ledger
        .settled()
        .then(() => sleep(CLOSE_MS))
        .then(() => true)
      const connection = this.#connection
      connection?.directReads?.end()
      const silent = connection ? await Promise.race([connection.ask('close').then(taken), late]) : true
      if (this.#unflushed.lost || (silent && this.#unflushed.last)) throw mayBeLost()
    } catch (error) {
      // A worker that has ended holds nothing that needs to be closed.
      if ((error as NidusError).code !== 'WORKER_FAILED' || this.#unflushed.last) throw error
    } finally {
      this.#ended({ reason: 'closed' })
      this.#worker?.end()
      for (const { reject } of this.#ledger.calls) reject(closedError(this.#spec.name))
    }
  }
}

const bytesOf = (args: object): number =>
  Object.values(args).reduce<number>((sum, part) => sum + ((part as ArrayBufferView | undefined)?.byteLength ?? 0), 0)

const suspended = () =>
  new NidusError(
    'OUTCOME_UNKNOWN',
    'the browser suspended the page before the write was answered; it is in the store whole or not at all',
  )

/** These calls call nothing in the page. */
const NOTHING = {} as PageSide

async function once<T>(start: StartWorker, ask: (worker: WorkerConnection) => Promise<Answer<T>>): Promise<T> {
  const connection = await WorkerConnection.connect(
    () => start(true),
    NOTHING,
    () => {},
    undefined,
    start.packaged,
  )
  try {
    return taken(await ask(connection))
  } finally {
    connection.end()
  }
}

export const remoteList = (start: StartWorker, storage: StorageKind | undefined) =>
  once(start, (worker) => worker.ask('list', storage))
export const remoteDestroy = (start: StartWorker, storage: StorageKind | undefined, name: string) =>
  once(start, (worker) => worker.ask('destroy', storage, name))
export const remoteSalvage = (
  start: StartWorker,
  storage: StorageKind | undefined,
  spec: SalvageSpec,
  wasm: WasmSource | undefined,
) => once(start, async (worker) => worker.ask('salvage', storage, spec, await sendable(wasm)))
