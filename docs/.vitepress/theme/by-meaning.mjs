// What a search by meaning needs. It is loaded when a visitor asks for it.
import runtime from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url'
import { transformers } from 'nidus-wasm/text/transformers'
import { withBase } from 'vitepress'

/**
 * Loads the language model of the demo, which lies beside the docs. Returns a function that returns the vector of a
 * question. `progress` is told the share that has arrived, from 0 to 1.
 */
export async function loadModel(progress) {
  const embedder = await transformers('all-MiniLM-L6-v2', {
    models: new URL(withBase('/../models/'), location.href),
    runtime: new URL(runtime, location.href),
    device: 'wasm',
    dimension: 384,
    onProgress: ({ loaded, total }) => progress(total ? loaded / total : 0),
  })
  await embedder.ready
  return (text, signal) => embedder.embed([text], { kind: 'query', signal })
}
