import { Worker } from 'node:worker_threads'
import type { ShardWorker } from './engine/shards.js'

/** A thread of Node's (Deno and Bun have them too), in the shape of a browser's worker. */
export function nodeWorker(url: URL): ShardWorker {
  const worker = new Worker(url)
  // A search is waited for; a worker that has nothing to do keeps no process alive.
  worker.unref()
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer as never),
    addEventListener(type, listener) {
      worker.on(type, (value: unknown) => listener(type === 'error' ? { message: String(value) } : { data: value }))
      if (type === 'error') worker.on('exit', () => listener({ message: 'it ended' }))
    },
    terminate: () => void worker.terminate(),
  }
}
