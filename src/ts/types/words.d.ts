/// <reference path="./platform.d.ts" />
import type { WasmSource } from './segment.js'

/**
 * Adds the part of the package that finds words to a service worker, where it cannot be loaded later. Call it once,
 * before a store is opened. Pages and other workers do not need it: there the part is loaded with the first search for
 * words.
 *
 * ```js
 * import { Nidus } from 'nidus-wasm'
 * import { provideWords } from 'nidus-wasm/words'
 *
 * provideWords('/assets/nidus-text.wasm')
 * const db = await Nidus.open('notes', { dimension: 384, wasm: '/assets/nidus-page.wasm' })
 * await db.search({ text: 'roof' })
 * ```
 *
 * @param wasm The address, the bytes or the module of `nidus-text.wasm`. Default: the file beside the package's own,
 *   which a service worker that is one classic script cannot find.
 */
export function provideWords(wasm?: WasmSource): void
