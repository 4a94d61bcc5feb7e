import { createBirpc, type BirpcReturn } from 'birpc'
import type { Backend, CallOptions, Calls, Method, OpenSpec } from '../engine/backend.js'
import { isRead } from '../engine/calls.js'
import { NidusError, aborted, closedError, invalid, unpackError } from '../errors.js'
import type { CloseReason, RecoveryReport, StorageKind, StoreInfo } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'
import { VERSION, poster, type Answer, type PageSide, type WireSource, type WorkerSide } from './protocol.js'

/** For a worker that loads but is not ours. A slow machine's own worker says hello within a few seconds. */
const HELLO_MS = 30_000

/** A worker of ours, and what becomes of calls when it dies. */
class Line {
  readonly #worker: Worker
  readonly #rpc: BirpcReturn<WorkerSide, PageSide, false>
  #dead: NidusError | undefined
  #waiting = new Set<(error: NidusError) => void>()

  static async connect(start: () => Worker, page: PageSide, onDeath: (error: NidusError) => void): Promise<Line> {
    let line: Line
    try {
      line = new Line(start(), page, onDeath)
    } catch (cause) {
      throw new NidusError('WORKER_FAILED', `the worker could not be started: ${textOf(cause)}`, { cause })
    }
    const timer = setTimeout(() => line.#die('the worker did not say hello; is it nidus-wasm/worker?'), HELLO_MS)
    try {
      const { version } = await line.ask<{ version: number }>('hello', [])
      if (version === VERSION) return line
      throw new NidusError('WORKER_FAILED', `the worker is of another version of nidus-wasm (protocol ${version}, the page has ${VERSION})`)
    } catch (error) {
      line.#worker.terminate()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  private constructor(worker: Worker, page: PageSide, onDeath: (error: NidusError) => void) {
    this.#worker = worker
    this.#rpc = createBirpc<WorkerSide, PageSide, false>(page, {
      post: poster(worker),
      on: (receive) => worker.addEventListener('message', ({ data }) => Array.isArray(data) && data.forEach((message) => receive(message))),
      timeout: -1,
      proxify: false,
    })
    const died = (what: string) => {
      this.#die(what)
      if (this.#dead) onDeath(this.#dead)
    }
    worker.addEventListener('error', (event) => {
      // Else the browser reports it to the console; whoever called is told.
      event.preventDefault()
      died(event.message ? `the worker failed: ${event.message}` : 'the worker could not be loaded')
    })
    worker.addEventListener('messageerror', () => died('a message of the worker could not be read'))
  }

  #die(what: string) {
    this.#dead ??= new NidusError('WORKER_FAILED', what)
    for (const reject of this.#waiting) reject(this.#dead)
    this.#waiting.clear()
    this.#worker.terminate()
  }

  ask<T>(method: keyof WorkerSide, args: unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead)
      this.#waiting.add(reject)
      this.#rpc
        .$callRaw({ method, args })
        .then((value) => resolve(value as T), (cause) => reject(invalid(`this cannot be sent to the worker: ${textOf(cause)}`, cause)))
        .finally(() => this.#waiting.delete(reject))
    })
  }

  async get<T>(method: keyof WorkerSide, args: unknown[]): Promise<T> {
    const answer = await this.ask<Answer<T>>(method, args)
    if ('error' in answer) throw unpackError(answer.error)
    return answer.ok
  }

  tell(method: keyof WorkerSide, args: unknown[]) {
    if (!this.#dead) void this.#rpc.$callRaw({ method, args, event: true })
  }

  end() {
    this.#dead ??= new NidusError('CLOSED', 'the worker has been stopped')
    this.#rpc.$close()
    this.#worker.terminate()
  }
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** Reads what a page may hand in and a worker cannot be sent. Relative addresses are the page's. */
async function sendable(wasm: WasmSource | undefined): Promise<WireSource | undefined> {
  if (wasm === undefined || wasm instanceof WebAssembly.Module) return wasm
  if (typeof wasm === 'string' || wasm instanceof URL) return new URL(wasm, globalThis.location?.href).href
  if (typeof Response !== 'undefined' && wasm instanceof Response) {
    if (!wasm.ok) throw new NidusError('FAILED', `the .wasm file could not be loaded: ${wasm.url} answered ${wasm.status}`)
    return wasm.arrayBuffer()
  }
  return ArrayBuffer.isView(wasm)
    ? (wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength) as ArrayBuffer)
    : (wasm as ArrayBuffer)
}

/** A store in a worker of its own. */
export class RemoteStore implements Backend {
  dimension = 0
  storage = ''
  recovery!: RecoveryReport
  readonly closed: Promise<CloseReason>
  #line!: Line
  #name: string
  #ended!: (reason: CloseReason) => void
  #closing: Promise<void> | undefined
  #calls = 0
  #progress = new Map<number, NonNullable<CallOptions['onProgress']>>()

  static async open(spec: OpenSpec, start: () => Worker, wasm: WasmSource | undefined): Promise<RemoteStore> {
    const store = new RemoteStore(spec.name)
    const source = await sendable(wasm).catch((error: unknown) => {
      throw error instanceof NidusError ? error : new NidusError('FAILED', `the .wasm file could not be loaded: ${textOf(error)}`, { cause: error })
    })
    const page: PageSide = {
      progress: (number, done, total) => store.#progress.get(number)?.(done, total),
      failed: (error) => store.#ended({ reason: 'failed', error: unpackError(error) }),
    }
    store.#line = await Line.connect(start, page, (error) => store.#ended({ reason: 'failed', error }))
    try {
      const { dimension, storage, recovery } = await store.#line.get<Awaited<ReturnType<WorkerSide['open']>> extends Answer<infer T> ? T : never>('open', [spec, source])
      const { compactionError, ...rest } = recovery
      store.dimension = dimension
      store.storage = storage
      store.recovery = { ...rest, ...(compactionError && { compactionError: unpackError(compactionError) }) }
      return store
    } catch (error) {
      store.#line.end()
      throw error
    }
  }

  private constructor(name: string) {
    this.#name = name
    this.closed = new Promise((resolve) => (this.#ended = resolve))
  }

  call<M extends Method>(method: M, args: Parameters<Calls[M]>, { signal, onProgress }: CallOptions = {}): Promise<ReturnType<Calls[M]>> {
    if (this.#closing) return Promise.reject(closedError(this.#name))
    if (signal?.aborted) return Promise.reject(aborted(signal))
    const number = ++this.#calls
    if (onProgress) this.#progress.set(number, onProgress)
    const answer = this.#line.get<ReturnType<Calls[M]>>('call', [number, method, args, onProgress !== undefined])
    if (!signal && !onProgress) return answer
    return new Promise<ReturnType<Calls[M]>>((resolve, reject) => {
      const cancel = () => {
        this.#line.tell('cancel', [number])
        // Whether a write was still in time only the worker can tell; the answer to a question nobody needs.
        if (isRead(method)) reject(aborted(signal!))
      }
      signal?.addEventListener('abort', cancel, { once: true })
      // A reason does not cross the thread; the caller's own is here.
      const failed = (error: NidusError) => reject(error.code === 'ABORTED' && signal ? aborted(signal) : error)
      answer.then(resolve, failed).finally(() => {
        signal?.removeEventListener('abort', cancel)
        this.#progress.delete(number)
      })
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close() {
    try {
      await this.#line.get<undefined>('close', [])
    } catch (error) {
      // A dead worker holds nothing any more.
      if ((error as NidusError).code !== 'WORKER_FAILED') throw error
    } finally {
      this.#ended({ reason: 'closed' })
      this.#line.end()
    }
  }
}

const silent: PageSide = { progress() {}, failed() {} }

async function once<T>(start: () => Worker, method: 'list' | 'destroy', args: unknown[]): Promise<T> {
  const line = await Line.connect(start, silent, () => {})
  try {
    return await line.get<T>(method, args)
  } finally {
    line.end()
  }
}

export const remoteList = (start: () => Worker, storage: StorageKind | undefined) => once<StoreInfo[]>(start, 'list', [storage])
export const remoteDestroy = (start: () => Worker, storage: StorageKind | undefined, name: string) => once<undefined>(start, 'destroy', [storage, name])
