import { NidusError } from '../errors/errors.js'
import { loadText } from './text-files.js'

/**
 * Loads the module of texts into this thread. A service worker cannot: browsers refuse `import()` there, and a bundle
 * for it may not know its own address.
 */
export async function loadTextHere(script: () => string, wasm: () => Promise<Response>) {
  if ('ServiceWorkerGlobalScope' in globalThis)
    throw new NidusError(
      'UNSUPPORTED',
      'a service worker cannot load the part of the package that finds words: search for words in a page or in ' +
        'another worker',
    )
  return loadText(script(), wasm)
}
