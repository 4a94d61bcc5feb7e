import type { FromWorker, Start, ToWorker } from './protocol.js'

// The worker's side. It uses few things of transformers.js, which are declared here: the package is optional.

interface Tokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): unknown[]
}
interface Extractor {
  (texts: string[], options: { pooling: string; normalize: boolean }): Promise<{ data: ArrayLike<number> }>
}
interface Loading {
  progress_callback?: (info: { status: string; file?: string; loaded?: number; total?: number }) => void
  dtype?: string
  device?: string
}
export interface Library {
  env: {
    allowLocalModels: boolean
    allowRemoteModels: boolean
    localModelPath: string
    remoteHost: string
    remotePathTemplate: string
    backends: { onnx: { wasm?: { wasmPaths?: unknown } } }
  }
  AutoConfig: { from_pretrained(model: string, options: Loading): Promise<{ hidden_size?: unknown }> }
  AutoTokenizer: { from_pretrained(model: string, options: Loading): Promise<Tokenizer> }
  AutoModel: { from_pretrained(model: string, options: Loading): Promise<unknown> }
  FeatureExtractionPipeline: new (parts: { task: string; model: unknown; tokenizer: Tokenizer }) => Extractor
}

/** Texts to embed, and the vectors that are made so far. */
interface Embedding {
  id: number
  texts: string[]
  question: boolean
  made: Float32Array[]
}
interface Loaded {
  tokenizer: Promise<Tokenizer>
  dimension: Promise<number>
  extractor: Promise<Extractor>
  pooling: string
  batchSize: number
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** Serves one model. Returns the function that takes the page's messages. `libraryOf` loads transformers.js. */
export function serve(
  say: (message: FromWorker, transfer: ArrayBuffer[]) => void,
  libraryOf: (address: string | undefined) => Promise<Library>,
): (message: ToWorker) => void {
  let loaded: Loaded | undefined
  let jobs: Embedding[] = []
  let busy = false

  const answer = (id: number, making: Promise<number | number[]>) =>
    making.then(
      (value) => say({ type: 'answer', id, value }, []),
      (error: unknown) => say({ type: 'error', id, message: messageOf(error) }, []),
    )

  const count = async (texts: string[]) => {
    const tokenizer = await loaded!.tokenizer
    return texts.map((text) => tokenizer.encode(text, { add_special_tokens: false }).length)
  }
  /** Embeds the next texts of a job. Returns its vectors once they are whole. */
  const embedSome = async ({ texts, made }: Embedding) => {
    const { extractor, pooling, batchSize } = loaded!
    if (texts.length === 0) return new Float32Array(0)
    const at = made.length * batchSize
    const batch = texts.slice(at, at + batchSize)
    const { data } = await (await extractor)(batch, { pooling, normalize: true })
    made.push(Float32Array.from(data))
    return at + batch.length < texts.length ? undefined : joined(made)
  }

  /** Embeds what waits. A question waits for the batch that is being embedded, and for nothing else. */
  const work = async () => {
    if (busy) return
    busy = true
    for (;;) {
      const job = jobs.find(({ question }) => question) ?? jobs[0]
      if (!job) break
      const over = () => (jobs = jobs.filter((each) => each !== job))
      try {
        const whole = await embedSome(job)
        if (whole) {
          over()
          say({ type: 'answer', id: job.id, value: whole }, [whole.buffer])
        }
      } catch (error) {
        over()
        say({ type: 'error', id: job.id, message: messageOf(error) }, [])
      }
      // Messages that arrived meanwhile are received now.
      await new Promise((resolve) => setTimeout(resolve))
    }
    busy = false
  }

  return (message) => {
    if (message.type === 'start') {
      loaded = load(message.start, say, libraryOf)
    } else if (message.type === 'embed') {
      jobs.push({ ...message, made: [] })
      void work()
    } else if (message.type === 'count') void answer(message.id, count(message.texts))
    else if (message.type === 'dimension') void answer(message.id, loaded!.dimension)
    else jobs = jobs.filter(({ id }) => id !== message.id)
  }
}

function joined(parts: Float32Array[]): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function load(
  { model, dtype, device, pooling, batchSize, models, runtime, library: address }: Start,
  say: (message: FromWorker, transfer: ArrayBuffer[]) => void,
  libraryOf: (address: string | undefined) => Promise<Library>,
): Loaded {
  const files = new Map<string, { loaded: number; total: number }>()
  const progress_callback: Loading['progress_callback'] = ({ status, file, loaded, total }) => {
    if (status !== 'progress' || file === undefined || loaded === undefined) return
    files.set(file, { loaded, total: Math.max(total ?? 0, loaded) })
    const sum = { loaded: 0, total: 0 }
    for (const each of files.values()) {
      sum.loaded += each.loaded
      sum.total += each.total
    }
    say({ type: 'progress', ...sum }, [])
  }
  const library = libraryOf(address).then((library) => {
    const { env } = library
    if (models !== undefined && /^https?:/.test(models))
      // As another hub, so that the browser keeps the files as it keeps those of the real one.
      Object.assign(env, { allowLocalModels: false, remoteHost: models, remotePathTemplate: '{model}/' })
    else if (models !== undefined)
      Object.assign(env, { allowLocalModels: true, allowRemoteModels: false, localModelPath: models })
    if (runtime !== undefined && env.backends.onnx.wasm)
      env.backends.onnx.wasm.wasmPaths = runtime.endsWith('.wasm') ? { wasm: runtime } : runtime
    return library
  })
  // Texts are cut by its tokens, so it comes before the weights.
  const tokenizer = library.then(({ AutoTokenizer }) => AutoTokenizer.from_pretrained(model, { progress_callback }))
  const dimension = library
    .then(({ AutoConfig }) => AutoConfig.from_pretrained(model, { progress_callback }))
    .then(({ hidden_size }) => {
      if (typeof hidden_size !== 'number') throw new Error('its config.json has no `hidden_size`: give `dimension`')
      return hidden_size
    })
  const extractor = (async () => {
    const tokens = await tokenizer
    const { AutoModel, FeatureExtractionPipeline } = await library
    const on = async (device: string | undefined) => {
      const weights = await AutoModel.from_pretrained(model, { dtype, ...(device && { device }), progress_callback })
      const made = new FeatureExtractionPipeline({ task: 'feature-extraction', model: weights, tokenizer: tokens })
      // The first run compiles. A device that cannot run the model says so here.
      await made(['text'], { pooling, normalize: true })
      return made
    }
    const inPage = typeof navigator === 'object' && typeof process === 'undefined'
    if (device === 'webgpu' || (device === 'auto' && inPage && (await hasGpu())))
      try {
        const made = await on('webgpu')
        say({ type: 'ready', device: 'webgpu' }, [])
        return made
      } catch (error) {
        if (device === 'webgpu') throw error
      }
    const rest = inPage ? 'wasm' : device === 'auto' ? undefined : device
    const made = await on(rest)
    say({ type: 'ready', device: rest === 'wasm' ? 'wasm' : 'cpu' }, [])
    return made
  })()
  extractor.catch((error: unknown) => say({ type: 'failed', message: messageOf(error) }, []))
  for (const each of [tokenizer, dimension]) each.catch(() => {}) // whoever asks gets the error
  return { tokenizer, dimension, extractor, pooling, batchSize }
}

async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } }
  return Boolean(await gpu?.requestAdapter().catch(() => undefined))
}
