import { Nidus as Api } from '../nidus.js'
import { browserPlatform } from '../platform-browser.js'
import { withPlatform } from '../platform.js'
import { setWasmDefaults } from '../wasm-source.js'

// `new URL('…', import.meta.url)` is written out in full, in this form: bundlers find the files by it.
export const Nidus = withPlatform(
  browserPlatform(() => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })),
  () => setWasmDefaults(() => fetch(new URL('./nidus.wasm', import.meta.url)), () => fetch(new URL('./nidus-relaxed.wasm', import.meta.url))),
  Api,
)
export { NidusError } from '../errors.js'
