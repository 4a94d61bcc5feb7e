import { readFileSync } from 'node:fs'
import { nodePlatform } from '../platform-node.js'
import { setPlatform } from '../platform.js'
import { readWasm } from '../wasm-node.js'
import { setWasmDefaults } from '../wasm.js'

// Not new URL(…, import.meta.url): webpack would take it for an asset and hand a wrong URL to readFileSync.
const here = import.meta.url
setWasmDefaults(() => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))), readWasm)
setPlatform(nodePlatform)

export { NidusError } from '../errors.js'
export { Nidus } from '../nidus.js'
