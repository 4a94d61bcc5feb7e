import { parentPort } from 'node:worker_threads'
import type { ToWorker } from '../transformers/protocol.js'
import { serve, type Library } from '../transformers/serve.js'

const take = serve(
  (message, transfer) => parentPort!.postMessage(message, transfer),
  // Within the promise, so that a package that is missing is an answer and not the end of the thread.
  async (address) => (await import(address ?? '@huggingface/transformers')) as Library,
)
parentPort!.on('message', (message: ToWorker) => take(message))
