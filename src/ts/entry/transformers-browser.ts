import { NidusError, invalid } from '../errors/errors.js'
import { transformersWith, type AddressOf, type Connect } from '../transformers/index.js'
import type { FromWorker } from '../transformers/protocol.js'

const connect: Connect = ({ library }, own, receive, fail) => {
  if (!own && typeof Worker === 'undefined')
    throw new NidusError('UNSUPPORTED', 'transformers: this runtime has no workers. Use an embedder of your own')
  const worker = own
    ? own()
    : // The first one has an import that bundlers resolve. A page without a bundler gives an address.
      library === undefined
      ? new Worker(new URL('./transformers-worker.js', import.meta.url), { type: 'module' })
      : new Worker(new URL('./transformers-worker-url.js', import.meta.url), { type: 'module' })
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive(data)
  worker.onerror = (event) => {
    event.preventDefault()
    fail(event.message || 'the worker could not start, or its import of transformers.js failed')
  }
  return { send: (message) => worker.postMessage(message), end: () => worker.terminate(), keep: () => {} }
}

// An address within the page. A worker may have another place to count from.
const addressOf: AddressOf = (of, place) => {
  const base = typeof document === 'object' ? document.baseURI : self.location.href
  try {
    const { href } = new URL(place, base)
    // The others are folders, but for the one file of the runtime.
    return of === 'library' || href.endsWith('/') || (of === 'runtime' && href.endsWith('.wasm')) ? href : `${href}/`
  } catch (error) {
    throw invalid(`transformers: \`${of}\` is no address: ${String(place)}`, error)
  }
}

export const transformers = transformersWith(connect, addressOf)
