import { parentPort } from 'node:worker_threads'
import { nodeFiles } from '../platforms/node-files.js'
import { configureRuntime } from '../runtime/configure.js'
import { serveSearchWorker } from '../threads/worker.js'

configureRuntime(nodeFiles)
const port = parentPort
if (port) {
  serveSearchWorker({
    postMessage: (message, transfer) => port.postMessage(message, transfer as never),
    addEventListener: (type, listener) => void port.on(type, (data: unknown) => listener({ data })),
  })
}
