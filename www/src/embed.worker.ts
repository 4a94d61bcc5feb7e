/// <reference lib="webworker" />
// Runs the language model outside the main thread. Documents come in batches, and questions one by one. A question
// waits only for the batch that is being embedded.

import {
  AutoModel,
  AutoTokenizer,
  env,
  mean_pooling,
  type PreTrainedModel,
  type PreTrainedTokenizer,
  type Tensor,
} from '@huggingface/transformers'
import runtimeUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url'
import type { FromWorker, ToWorker } from './protocol'

declare const self: DedicatedWorkerGlobalScope

/** The size of the model in bytes, for servers that do not send it. */
const WEIGHTS = 22_928_619

type Job = Exclude<ToWorker, { type: 'start' }>

let model: { tokenize: PreTrainedTokenizer; run: PreTrainedModel } | undefined
let query: Extract<Job, { type: 'query' }> | undefined
const batches: Extract<Job, { type: 'documents' }>[] = []
let busy = false

function say(message: FromWorker, transfer: Transferable[] = []) {
  self.postMessage(message, transfer)
}

async function start(modelsUrl: string, local: boolean) {
  // Only the .wasm gets a path. If the .mjs had one, too, the library would load it from a blob: URL, which the policy
  // forbids.
  env.backends.onnx.wasm!.wasmPaths = { wasm: new URL(runtimeUrl, import.meta.url).href }
  // more threads would need cross-origin isolation, which a plain static host does not offer
  env.backends.onnx.wasm!.numThreads = 1
  env.allowLocalModels = local
  env.allowRemoteModels = !local
  env.localModelPath = new URL(modelsUrl).pathname // a path, because the library loads no URL as a local file
  env.useBrowserCache = !local // the HTTP cache already keeps what comes from our own origin
  // The progress is counted here. For its own progress, the library would first fetch every local file completely, to
  // know the total.
  env.fetch = async (input, init) => {
    // a worker from a `blob:` address cannot resolve a relative path
    const { href } = new URL(String(input), import.meta.url)
    return counted(await fetched(href, init), href)
  }
  const name = local ? 'all-MiniLM-L6-v2' : 'Xenova/all-MiniLM-L6-v2'
  try {
    const [tokenize, run] = await Promise.all([
      AutoTokenizer.from_pretrained(name),
      AutoModel.from_pretrained(name, { dtype: 'q8', device: 'wasm' }),
    ])
    model = { tokenize, run }
    await embed(['warm up']) // the first run compiles and allocates, which must not delay the first question
    say({ type: 'ready' })
    void work()
  } catch (error) {
    say({ type: 'failed', message: missing ?? String((error as Error)?.message ?? error) })
  }
}

/** The first file that could not be fetched. The library's own error comes later and names no file. */
let missing: string | undefined

async function fetched(url: string, init?: RequestInit) {
  try {
    const response = await fetch(url, init)
    if (!response.ok) missing ??= `${url}: HTTP ${response.status}`
    return response
  } catch (error) {
    missing ??= `${url}: ${(error as Error).message}`
    throw error
  }
}

/** Returns the same response, and tells the page how much of the model has arrived. */
function counted(response: Response, url: string) {
  if (!response.ok || !response.body || !url.includes('.onnx')) return response
  const total = Number(response.headers.get('content-length')) || WEIGHTS
  let loaded = 0
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      loaded += chunk.byteLength
      say({ type: 'progress', loaded, total: Math.max(total, loaded) })
      controller.enqueue(chunk)
    },
  })
  return new Response(response.body.pipeThrough(counter), response)
}

/** Returns one unit vector for each text, one after the other: the mean over its tokens, as the model was trained. */
async function embed(texts: string[]): Promise<Float32Array<ArrayBuffer>> {
  const inputs = model!.tokenize(texts, { padding: true, truncation: true })
  const { last_hidden_state } = (await model!.run(inputs)) as { last_hidden_state: Tensor }
  const pooled = mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, -1)
  return Float32Array.from(pooled.data as Float32Array)
}

async function work() {
  if (busy || !model) return
  busy = true
  for (;;) {
    const job: Job | undefined = query ?? batches.shift()
    if (!job) break
    if (job === query) query = undefined
    try {
      const began = performance.now()
      const vectors = await embed(job.type === 'query' ? [job.text] : job.texts)
      say({ type: 'vectors', id: job.id, vectors, milliseconds: performance.now() - began }, [vectors.buffer])
    } catch (error) {
      say({ type: 'error', id: job.id, message: String((error as Error)?.message ?? error) })
    }
    // Messages that arrived meanwhile are received now. Then the newest question comes first.
    await new Promise((resolve) => setTimeout(resolve))
  }
  busy = false
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'start') return void start(data.modelsUrl, data.local)
  if (data.type === 'documents') batches.push(data)
  else {
    if (query) say({ type: 'superseded', id: query.id }) // the person has typed more since
    query = data
  }
  void work()
}
