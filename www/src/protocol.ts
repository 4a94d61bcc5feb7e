/** The messages between the page and the embedding worker. */

export type ToWorker =
  | { type: 'start'; modelsUrl: string; local: boolean }
  | { type: 'documents'; id: number; texts: string[] }
  | { type: 'query'; id: number; text: string }

export type FromWorker =
  | { type: 'progress'; loaded: number; total: number }
  | { type: 'ready' }
  | { type: 'failed'; message: string }
  | { type: 'vectors'; id: number; vectors: Float32Array; milliseconds: number }
  | { type: 'superseded'; id: number }
  | { type: 'error'; id: number; message: string }
