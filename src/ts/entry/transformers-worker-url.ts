import type { ToWorker } from '../transformers/protocol.js'
import { serve, type Library } from '../transformers/serve.js'

// For pages without a bundler: an import map does not reach workers, so the page gives an address.
const take = serve(
  (message, transfer) => (self as unknown as Worker).postMessage(message, transfer),
  (address) => import(/* @vite-ignore */ address!) as Promise<Library>,
)
self.onmessage = ({ data }: MessageEvent<ToWorker>) => take(data)
