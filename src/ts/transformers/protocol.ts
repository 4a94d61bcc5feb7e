/** What the worker is to load, and from where. */
export interface Start {
  model: string
  dtype: string
  device: 'auto' | 'webgpu' | 'wasm' | 'cpu'
  pooling: 'mean' | 'cls'
  /** So many texts are embedded at once. */
  batchSize: number
  models: string | undefined
  runtime: string | undefined
  library: string | undefined
}

export type ToWorker =
  | { type: 'start'; start: Start }
  | { type: 'dimension'; id: number }
  | { type: 'embed'; id: number; texts: string[]; question: boolean }
  | { type: 'count'; id: number; texts: string[] }
  | { type: 'drop'; id: number }

export type FromWorker =
  | { type: 'progress'; loaded: number; total: number }
  | { type: 'ready'; device: 'webgpu' | 'wasm' | 'cpu' }
  | { type: 'failed'; message: string }
  | { type: 'answer'; id: number; value: number | number[] | Float32Array }
  | { type: 'error'; id: number; message: string }
