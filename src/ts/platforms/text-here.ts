import { NidusError } from '../errors/errors.js'
import { loadText } from './text-files.js'

/**
 * Loads the module of texts into this thread. In a service worker browsers refuse `import()`, and a bundle for one may
 * know no address of its own.
 */
export async function loadTextHere(script: () => string, wasm: () => Promise<Response>) {
  if ('ServiceWorkerGlobalScope' in globalThis)
    throw new NidusError(
      'UNSUPPORTED',
      'a service worker cannot load the part of the package that finds words; search for words in a page or in another worker',
    )
  return loadText(script(), wasm)
}
