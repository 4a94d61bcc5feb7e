import { browserPlatform } from '../platform-browser.js'
import { setPlatform } from '../platform.js'
import { setWasmDefaults } from '../wasm.js'

// Written out in full, in this form: bundlers find the two files by it.
setWasmDefaults(() => fetch(new URL('./nidus.wasm', import.meta.url)))
setPlatform(browserPlatform(() => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })))

export { NidusError } from '../errors.js'
export { Nidus } from '../nidus.js'
