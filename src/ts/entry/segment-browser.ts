import { setWasmDefaults } from '../wasm.js'

setWasmDefaults(() => fetch(new URL('./nidus.wasm', import.meta.url)))

export { NidusError } from '../errors.js'
export { Segment, init } from '../segment.js'
