// The language model in Node: the same files and the same steps as in the page (src/embed.worker.ts).
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AutoTokenizer, env } from '@huggingface/transformers'
import * as ort from 'onnxruntime-web/wasm'

export const DIMENSION = 384
const models = fileURLToPath(new URL('../public/models/', import.meta.url))

/** Returns a function that returns the unit vectors of texts, one after the other. The model must be there. */
export async function openModel() {
  env.allowRemoteModels = false
  env.localModelPath = models
  ort.env.wasm.numThreads = 1
  const runtime = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm')
  ort.env.wasm.wasmBinary = readFileSync(runtime)
  const tokenize = await AutoTokenizer.from_pretrained('all-MiniLM-L6-v2')
  const session = await ort.InferenceSession.create(
    readFileSync(join(models, 'all-MiniLM-L6-v2/onnx/model_quantized.onnx')),
  )
  return async (texts) => {
    const inputs = tokenize(texts, { padding: true, truncation: true })
    const feeds = Object.fromEntries(
      session.inputNames.map((name) => [name, new ort.Tensor('int64', inputs[name].data, inputs[name].dims)]),
    )
    const { last_hidden_state: states } = await session.run(feeds)
    return pool(states, inputs.attention_mask.data)
  }
}

/** Returns the mean over the tokens of each text, of unit length. The padding does not count. */
function pool({ data, dims: [many, tokens, dimension] }, mask) {
  const vectors = new Float32Array(many * dimension)
  for (let text = 0; text < many; text++) {
    const vector = vectors.subarray(text * dimension, (text + 1) * dimension)
    for (let token = 0; token < tokens; token++) {
      if (!Number(mask[text * tokens + token])) continue
      const from = (text * tokens + token) * dimension
      for (let n = 0; n < dimension; n++) vector[n] += data[from + n]
    }
    const length = Math.hypot(...vector) || 1
    for (let n = 0; n < dimension; n++) vector[n] /= length
  }
  return vectors
}
