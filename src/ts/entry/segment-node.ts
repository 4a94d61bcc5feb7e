import { readFileSync } from 'node:fs'
import { readWasm } from '../wasm-node.js'
import { setWasmDefaults } from '../wasm.js'

// Not new URL(…, import.meta.url): webpack would take it for an asset and hand a wrong URL to readFileSync.
const here = import.meta.url
setWasmDefaults(() => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))), readWasm)

export { NidusError } from '../errors.js'
export { Segment, init } from '../segment.js'
