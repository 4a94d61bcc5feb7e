import { Worker } from 'node:worker_threads'
import type { SearchWorker } from '../contract/search-worker.js'

/** A thread of Node's (Deno and Bun have them too), in the shape of a browser's worker. */
export function nodeWorker(url: URL): SearchWorker {
  // Not with the options that the process was started with: `--input-type` and others are refused in a worker.
  const worker = new Worker(url, { execArgv: [] })
  // A worker that has nothing to do keeps no process alive; one that was asked does, until it answers.
  let asked = 0
  return {
    postMessage(message, transfer) {
      if (asked++ === 0) worker.ref()
      worker.postMessage(message, transfer as never)
    },
    addEventListener(type, listener) {
      worker.on(type, (value: unknown) => {
        if (type === 'message' && --asked === 0) worker.unref()
        listener(type === 'error' ? { message: String(value) } : { data: value })
      })
      if (type === 'error') worker.on('exit', () => listener({ message: 'it ended' }))
    },
    terminate: () => void worker.terminate(),
  }
}
