/// <reference lib="webworker" />
// The language model, off the main thread. Documents come in batches, queries one by one; a query never waits for more
// than the batch that is being worked on.

import { env, pipeline, type FeatureExtractionPipeline, type ProgressInfo } from '@huggingface/transformers'
import runtimeUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url'
import type { FromWorker, ToWorker } from './protocol'

declare const self: DedicatedWorkerGlobalScope

type Job = Exclude<ToWorker, { type: 'start' }>

let extractor: FeatureExtractionPipeline | undefined
let query: Extract<Job, { type: 'query' }> | undefined
const batches: Extract<Job, { type: 'documents' }>[] = []
let busy = false

function say(message: FromWorker, transfer: Transferable[] = []) {
  self.postMessage(message, transfer)
}

async function start(modelsUrl: string, local: boolean) {
  // Only the .wasm is named: with a .mjs beside it the library would load that through a blob: URL, which the policy forbids.
  env.backends.onnx.wasm!.wasmPaths = { wasm: new URL(runtimeUrl, self.location.href).href }
  env.backends.onnx.wasm!.numThreads = 1 // more need cross-origin isolation, which a plain static host does not give
  env.allowLocalModels = local
  env.allowRemoteModels = !local
  env.localModelPath = modelsUrl
  env.useBrowserCache = !local // the HTTP cache already keeps what comes from our own origin
  const sizes = new Map<string, { loaded: number; total: number }>()
  try {
    extractor = await pipeline('feature-extraction', local ? 'all-MiniLM-L6-v2' : 'Xenova/all-MiniLM-L6-v2', {
      dtype: 'q8',
      device: 'wasm',
      progress_callback: (info: ProgressInfo) => {
        if (info.status !== 'progress') return
        sizes.set(info.file, { loaded: info.loaded, total: info.total })
        let loaded = 0
        let total = 0
        for (const size of sizes.values()) [loaded, total] = [loaded + size.loaded, total + size.total]
        say({ type: 'progress', loaded, total })
      },
    })
    // The first run compiles and allocates: better now than under the first keystroke.
    await extractor('warm up', { pooling: 'mean', normalize: true })
    say({ type: 'ready' })
    void work()
  } catch (error) {
    say({ type: 'failed', message: String((error as Error)?.message ?? error) })
  }
}

async function work() {
  if (busy || !extractor) return
  busy = true
  for (;;) {
    const job: Job | undefined = query ?? batches.shift()
    if (!job) break
    if (job === query) query = undefined
    try {
      const began = performance.now()
      const output = await extractor(job.type === 'query' ? job.text : job.texts, { pooling: 'mean', normalize: true })
      const vectors = Float32Array.from(output.data as Float32Array)
      output.dispose()
      say({ type: 'vectors', id: job.id, vectors, milliseconds: performance.now() - began }, [vectors.buffer])
    } catch (error) {
      say({ type: 'error', id: job.id, message: String((error as Error)?.message ?? error) })
    }
    // Lets messages in that arrived meanwhile: the newest query is next.
    await new Promise((resolve) => setTimeout(resolve))
  }
  busy = false
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'start') return void start(data.modelsUrl, data.local)
  if (data.type === 'documents') batches.push(data)
  else {
    if (query) say({ type: 'superseded', id: query.id }) // nobody waits for half a word any more
    query = data
  }
  void work()
}
