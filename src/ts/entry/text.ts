import { openText } from '../text/index.js'
import type { Words } from '../platforms/text-here.js'
import type { WasmSource } from '../types/segment.js'

const here = globalThis as { nidusOpenText?: typeof openText; nidusWords?: Words }

// A bundler may have made a plain script of this module, which exports nothing.
here.nidusOpenText = openText
export { openText }

export const provideWords = (wasm?: WasmSource): void => void (here.nidusWords = { openText, wasm })
