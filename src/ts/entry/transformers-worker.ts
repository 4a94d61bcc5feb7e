import * as library from '@huggingface/transformers'
import type { ToWorker } from '../transformers/protocol.js'
import { serve, type Library } from '../transformers/serve.js'

const take = serve(
  (message, transfer) => (self as unknown as Worker).postMessage(message, transfer),
  async () => library as unknown as Library,
)
self.onmessage = ({ data }: MessageEvent<ToWorker>) => take(data)
