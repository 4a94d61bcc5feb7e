import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../errors/errors.js'
import { transformersWith, type AddressOf, type Connect } from '../transformers/index.js'
import type { FromWorker } from '../transformers/protocol.js'

// A thread of its own: the runtime of the models blocks its thread for as long as a batch takes.
const connect: Connect = (_, __, receive, fail) => {
  const worker = new Worker(new URL('./transformers-worker-node.js', import.meta.url), { execArgv: [] })
  worker.on('message', (message: FromWorker) => receive(message))
  worker.on('error', (error) => fail(messageOf(error)))
  worker.on('exit', (code) => fail(`the thread ended with code ${code}`))
  // A process must not stay alive for a model that nobody asks anything.
  worker.unref()
  return {
    send: (message) => worker.postMessage(message),
    end: () => void worker.terminate(),
    keep: (alive) => (alive ? worker.ref() : worker.unref()),
  }
}

const addressOf: AddressOf = (of, place) => {
  const text = String(place)
  if (of === 'library') return isAbsolute(text) ? pathToFileURL(text).href : text
  const folder = text.endsWith('/') || (of === 'runtime' && text.endsWith('.wasm')) ? text : `${text}/`
  // Models are read from a path, and the runtime is imported from an address.
  if (of === 'models') return folder.startsWith('file:') ? fileURLToPath(folder) : folder
  if (/^\w+:/.test(folder)) return folder
  const { href } = pathToFileURL(resolve(folder))
  return folder.endsWith('/') ? `${href}/` : href
}

export const transformers = transformersWith(connect, addressOf)
