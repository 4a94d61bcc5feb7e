import type { OpenText } from '../contract/text.js'
import { compile } from '../core/load.js'
import { NidusError } from '../errors/errors.js'
import type { WasmSource } from '../types/segment.js'
import { loadText } from './text-files.js'

/** The module of texts, where `nidus-wasm/words` has brought it. */
export interface Words {
  openText: OpenText
  wasm: WasmSource | undefined
}

/**
 * Loads the module of texts into this thread. A service worker cannot: browsers refuse `import()` there, and a bundle
 * for it may not know its own address.
 */
export async function loadTextHere(script: () => string, wasm: () => Promise<Response>) {
  const own = (globalThis as { nidusWords?: Words }).nidusWords
  if (own)
    return {
      openText: own.openText,
      module: () => (own.wasm === undefined ? compile(undefined, wasm) : compile(own.wasm)),
    }
  if ('ServiceWorkerGlobalScope' in globalThis)
    throw new NidusError(
      'UNSUPPORTED',
      'a service worker cannot load the part of the package that finds words; import it there: ' +
        'provideWords(wasm) of nidus-wasm/words',
    )
  return loadText(script(), wasm)
}
