// Web Locks in a thread that stands for a tab. The main thread keeps them: ./locks.mjs.
import { parentPort } from 'node:worker_threads'

let asked = 0
const locks = new Map()
/** Works like `navigator.locks.request`. */
export const request = (name, options, work) => {
  if (!work) [options, work] = [{}, options]
  const { mode = 'exclusive', ifAvailable = false, signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const id = ++asked
    const giveUp = () => {
      locks.delete(id)
      parentPort.postMessage({ release: id })
      reject(signal.reason)
    }
    signal?.addEventListener('abort', giveUp)
    locks.set(id, async (there) => {
      locks.delete(id)
      signal?.removeEventListener('abort', giveUp)
      try {
        resolve(await work(there ? { name, mode } : null))
      } catch (error) {
        reject(error)
      } finally {
        parentPort.postMessage({ release: id })
      }
    })
    parentPort.postMessage({ ask: id, name, mode, ifAvailable })
  })
}

parentPort.on('message', ({ granted, there }) => {
  if (granted !== undefined) void locks.get(granted)?.(there)
})
