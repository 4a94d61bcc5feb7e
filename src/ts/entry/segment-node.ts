import { readFileSync } from 'node:fs'
import { initWith } from '../segment.js'
import { readWasm } from '../wasm-node.js'

// Not new URL(…, import.meta.url): webpack would take it for an asset and hand a wrong URL to readFileSync.
const here = import.meta.url
export const init = initWith(() => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))), () => new Uint8Array(readFileSync(new URL('./nidus-relaxed.wasm', here))), readWasm)
export { NidusError } from '../errors.js'
export { Segment } from '../segment.js'
