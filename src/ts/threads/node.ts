import { Worker } from 'node:worker_threads'
import type { SearchWorker } from '../contract/search-worker.js'

/** Starts a thread of Node, Deno or Bun. It has the interface of a browser's worker. */
export function nodeWorker(url: URL): SearchWorker {
  // A worker refuses some options of the process, for instance `--input-type`, so it gets none.
  const worker = new Worker(url, { execArgv: [] })
  // The process may end while the worker is idle, but not before the worker has answered.
  let pending = 0
  return {
    postMessage(message, transfer) {
      if (pending++ === 0) worker.ref()
      worker.postMessage(message, transfer as never)
    },
    addEventListener(type, listener) {
      worker.on(type, (value: unknown) => {
        if (type === 'message' && --pending === 0) worker.unref()
        listener(type === 'error' ? { message: String(value) } : { data: value })
      })
      if (type === 'error') worker.on('exit', () => listener({ message: 'it ended' }))
    },
    terminate: () => void worker.terminate(),
  }
}
