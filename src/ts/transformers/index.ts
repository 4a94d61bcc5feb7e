import { type KeysOf } from '../arguments/keys.js'
import { checkOptions, oneOf } from '../arguments/options.js'
import { NidusError, invalid } from '../errors/errors.js'
import { unref } from '../runtime/schedule.js'
import { onAbort } from '../runtime/signals.js'
import type { EmbedOptions } from '../types/text-index.js'
import type { TransformersEmbedder, TransformersOptions } from '../types/transformers.js'
import { knownOf } from './known.js'
import type { FromWorker, Start, ToWorker } from './protocol.js'

/** A worker that has been started. */
export interface Connection {
  send(message: ToWorker): void
  end(): void
  /** Tells whether the process has to stay alive for it. */
  keep(alive: boolean): void
}

/** Starts a worker. `receive` gets its messages, and `fail` is called if it cannot start or dies. */
export type Connect = (
  start: Start,
  worker: (() => Worker) | undefined,
  receive: (message: FromWorker) => void,
  fail: (why: string) => void,
) => Connection

const OPTIONS = {
  dtype: 1,
  device: 1,
  dimension: 1,
  pooling: 1,
  prefixes: 1,
  batchSize: 1,
  onProgress: 1,
  models: 1,
  runtime: 1,
  library: 1,
  worker: 1,
} satisfies KeysOf<TransformersOptions>
const PREFIXES = { query: 1, passage: 1 } satisfies KeysOf<NonNullable<TransformersOptions['prefixes']>>

type Value = number | number[] | Float32Array
/** A call that the worker has not answered. */
interface Call {
  resolve(value: Value): void
  reject(error: NidusError): void
}
type Asked =
  { type: 'dimension' } | { type: 'count'; texts: string[] } | { type: 'embed'; texts: string[]; question: boolean }

/** A model that is being loaded and says nothing for this long is given up, in milliseconds. */
const SILENCE = 300_000

/** The worker with one model. It is started anew with the next call if the model could not be loaded. */
class ModelWorker {
  readonly #connect: () => Connection
  #connection: Connection | undefined
  #calls = new Map<number, Call>()
  #next = 0
  #closed: NidusError | undefined
  #ready!: Promise<'webgpu' | 'wasm' | 'cpu'>
  #waits = 0

  constructor(
    private readonly model: string,
    start: Start,
    connect: Connect,
    worker: (() => Worker) | undefined,
    onProgress: TransformersOptions['onProgress'],
  ) {
    this.#connect = () => {
      let settle!: { resolve(device: 'webgpu' | 'wasm' | 'cpu'): void; reject(error: NidusError): void }
      this.#ready = new Promise((resolve, reject) => (settle = { resolve, reject }))
      this.#ready.catch(() => {}) // calls get it
      let silence: ReturnType<typeof setTimeout> | undefined
      const wait = () => {
        clearTimeout(silence)
        const why =
          'nothing was heard of it for five minutes. Are the files in `runtime` those of this transformers.js?'
        silence = unref(setTimeout(() => fail(why), SILENCE))
      }
      const fail = (why: string) => {
        clearTimeout(silence)
        // A worker that was ended says no more.
        if (this.#connection !== connection) return
        const error = this.#failed(why)
        settle.reject(error)
        this.#end(error)
      }
      const connection = connect(
        start,
        worker,
        (message) => {
          if (this.#connection !== connection) return
          if (message.type === 'progress') {
            wait()
            onProgress?.({ loaded: message.loaded, total: message.total })
          } else if (message.type === 'ready') {
            clearTimeout(silence)
            settle.resolve(message.device)
          } else if (message.type === 'failed') fail(message.message)
          else this.#settle(message)
        },
        fail,
      )
      this.#connection = connection
      wait()
      connection.send({ type: 'start', start })
      return connection
    }
  }

  start() {
    if (this.#closed) throw this.#closed
    return (this.#connection ??= this.#connect())
  }

  ask(asked: Asked, signal?: AbortSignal): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      const connection = this.start()
      const id = this.#next++
      this.#calls.set(id, { resolve, reject })
      this.#keep()
      connection.send({ ...asked, id })
      if (!signal) return
      const drop = () => {
        if (!this.#take(id)) return
        connection.send({ type: 'drop', id })
        reject(signal.reason as Error)
      }
      if (signal.aborted) return drop()
      const forget = onAbort(signal, drop)
      const call = this.#calls.get(id)!
      this.#calls.set(id, {
        resolve: (value) => (forget(), call.resolve(value)),
        reject: (error) => (forget(), call.reject(error)),
      })
    })
  }

  close() {
    this.#closed ??= new NidusError('EMBEDDER_FAILED', `the embedder "${this.model}" is closed`)
    this.#end(this.#closed)
  }

  /** Resolves once the model is loaded. The process stays alive for somebody who waits for that. */
  async ready() {
    this.#waits++
    this.#keep()
    try {
      return await this.#ready
    } finally {
      this.#waits--
      this.#keep()
    }
  }

  #keep() {
    this.#connection?.keep(this.#waits > 0 || this.#calls.size > 0)
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    this.#keep()
    return call
  }

  #settle(message: Extract<FromWorker, { id: number }>) {
    const call = this.#take(message.id)
    if (message.type === 'answer') call?.resolve(message.value)
    else call?.reject(this.#failed(message.message))
  }

  #end(error: NidusError) {
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    this.#connection?.end()
    this.#connection = undefined
    for (const { reject } of calls) reject(error)
  }

  #failed(why: string) {
    const missing = /transformers/.test(why) ? 'Is @huggingface/transformers installed? ' : ''
    return new NidusError(
      'EMBEDDER_FAILED',
      `the model "${this.model}" failed: ${why.replace(/(?<![.?])$/, '.')} ${missing}Check its name and the network, ` +
        'and try again. A model that was loaded once is kept and needs no network',
    )
  }
}

/** Returns an address as the worker can use it. */
export type AddressOf = (of: 'models' | 'runtime' | 'library', place: string | URL) => string

/** Returns the function that makes embedders. `connect` starts a worker in the way of the runtime. */
export const transformersWith =
  (connect: Connect, addressOf: AddressOf) =>
  async (model: string, given?: TransformersOptions): Promise<TransformersEmbedder> => {
    const { dtype = 'q8', device = 'auto', batchSize = 16, onProgress, worker, ...options } = check(model, given)
    const known = knownOf(model)
    const { pooling = known.pooling, prefixes = {} } = options
    const before = { query: prefixes.query ?? known.query, passage: prefixes.passage ?? known.passage }
    const address = (of: 'models' | 'runtime' | 'library') => {
      const place = options[of]
      return place === undefined ? undefined : addressOf(of, place)
    }
    const start: Start = {
      model,
      dtype,
      device,
      pooling,
      batchSize,
      models: address('models'),
      runtime: address('runtime'),
      library: address('library'),
    }
    const run = new ModelWorker(model, start, connect, worker, onProgress)
    run.start()
    let dimension = options.dimension ?? known.dimension
    try {
      dimension ??= (await run.ask({ type: 'dimension' })) as number
    } catch (error) {
      run.close()
      throw error
    }
    return {
      model,
      dimension,
      batchSize,
      get ready() {
        return run.ready()
      },
      embed: async (texts: string[], { kind, signal }: EmbedOptions) => {
        const question = kind === 'query'
        return (await run.ask(
          { type: 'embed', texts: texts.map((text) => before[kind] + text), question },
          signal,
        )) as Float32Array
      },
      countTokens: async (texts: string[]) => (await run.ask({ type: 'count', texts })) as number[],
      close: async () => run.close(),
    }
  }

function check(model: unknown, given: TransformersOptions | undefined): TransformersOptions {
  if (typeof model !== 'string' || model === '')
    throw invalid('transformers: the model is a text, for instance "Xenova/all-MiniLM-L6-v2"')
  const options = checkOptions(given, OPTIONS, 'transformers') as TransformersOptions
  const { dtype, device, dimension, pooling, prefixes, batchSize, onProgress, worker } = options
  if (dtype !== undefined && (typeof dtype !== 'string' || dtype === ''))
    throw invalid('transformers: `dtype` is a text, for instance "q8"')
  oneOf(device, 'transformers: `device`', ['auto', 'webgpu', 'wasm', 'cpu'])
  oneOf(pooling, 'transformers: `pooling`', ['mean', 'cls'])
  for (const [name, number, most] of [
    ['dimension', dimension, 65_536],
    ['batchSize', batchSize, 4096],
  ] as const)
    if (number !== undefined && (!Number.isInteger(number) || number < 1 || number > most))
      throw invalid(`transformers: \`${name}\` is a whole number from 1 to ${most}, not ${String(number)}`)
  const { query, passage } = checkOptions(prefixes, PREFIXES, 'transformers: prefixes')
  for (const [name, text] of Object.entries({ query, passage }))
    if (text !== undefined && typeof text !== 'string') throw invalid(`transformers: \`prefixes.${name}\` is a text`)
  for (const [name, call] of Object.entries({ onProgress, worker }))
    if (call !== undefined && typeof call !== 'function') throw invalid(`transformers: \`${name}\` is a function`)
  for (const name of ['models', 'runtime', 'library'] as const) {
    const place: unknown = options[name]
    if (place !== undefined && typeof place !== 'string' && !(place instanceof URL))
      throw invalid(`transformers: \`${name}\` is an address, as a text or a URL`)
  }
  return options
}
