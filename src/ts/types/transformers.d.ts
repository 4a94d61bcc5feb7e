/// <reference path="./platform.d.ts" />
/**
 * `nidus-wasm/text/transformers`: an embedder for `TextIndex` that runs a model of transformers.js in a worker of its
 * own. It needs the package `@huggingface/transformers`.
 */
import type { EmbedOptions, Embedder } from './text-index.js'

/** How much of the model has been downloaded, in bytes. `total` is what is known so far. */
export interface DownloadProgress {
  loaded: number
  total: number
}

export interface TransformersOptions {
  /** The form of the weights: `'fp32'`, `'fp16'`, `'q8'`, `'q4'` and others. Default: `'q8'`. */
  dtype?: string
  /**
   * Where the model runs. Default: `'auto'`, which is WebGPU where there is one, otherwise wasm. In Node it is the
   * processor.
   */
  device?: 'auto' | 'webgpu' | 'wasm' | 'cpu'
  /** The number of numbers in a vector. Default: what the model's `config.json` says. */
  dimension?: number
  /** How the vectors of tokens become one. Default: `'mean'`, or what is known of the model. */
  pooling?: 'mean' | 'cls'
  /** What is put before questions and passages. Default: what is known of the model, otherwise nothing. */
  prefixes?: { query?: string; passage?: string }
  /** The number of texts that are embedded at once. Default: 16. */
  batchSize?: number
  /** Called while the model is being downloaded. */
  onProgress?: (progress: DownloadProgress) => void
  /**
   * The folder with your own copy of the models: an address, or a path in Node. The file of a model is
   * `FOLDER/MODEL/config.json`. Nothing else is asked for models then. Default: the hub of Hugging Face.
   */
  models?: string | URL
  /**
   * The folder with the `.mjs` and `.wasm` files of onnxruntime-web, or the address of the one `.wasm` file of the build
   * that transformers.js imports (`ort-wasm-simd-threaded.asyncify.wasm` if your bundler has no alias for it). With one
   * file nothing is started from a `blob:` address, which a Content-Security-Policy may forbid. Default: what
   * transformers.js uses, which is on another host.
   */
  runtime?: string | URL
  /** The address of transformers.js, for pages without a bundler. Default: the package `@huggingface/transformers`. */
  library?: string | URL
  /**
   * Starts the worker, for bundlers that cannot find it by themselves. Return a `new Worker(...)` of
   * `nidus-wasm/text/transformers-worker`.
   */
  worker?: () => Worker
}

/** An embedder with a model of transformers.js. */
export interface TransformersEmbedder extends Embedder {
  embed(texts: string[], options: EmbedOptions): Promise<Float32Array>
  countTokens(texts: string[]): Promise<number[]>
  /** Resolves with where the model runs, once it is loaded. Rejects with `EMBEDDER_FAILED` if it cannot be loaded. */
  readonly ready: Promise<'webgpu' | 'wasm' | 'cpu'>
  /** Ends the worker. What is being embedded is given up. */
  close(): Promise<void>
}

/**
 * Returns an embedder that runs a model of transformers.js in a worker. The model is loaded in the background.
 *
 * Rejects with `EMBEDDER_FAILED` if the model's `config.json` cannot be loaded, and is needed to know the dimension.
 *
 * ```js
 * const notes = await TextIndex.open('notes', { embedder: transformers('Xenova/all-MiniLM-L6-v2') })
 * ```
 */
export function transformers(model: string, options?: TransformersOptions): Promise<TransformersEmbedder>
