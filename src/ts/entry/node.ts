import { readFileSync } from 'node:fs'
import { Nidus as Api } from '../nidus.js'
import { nodePlatform } from '../platform-node.js'
import { withPlatform } from '../platform.js'
import { readWasm } from '../wasm-node.js'
import { setWasmDefaults } from '../wasm-source.js'

// Not new URL(…, import.meta.url): webpack would take it for an asset and hand a wrong URL to readFileSync.
const here = import.meta.url
export const Nidus = withPlatform(
  nodePlatform,
  () => setWasmDefaults(() => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))), readWasm),
  Api,
)
export { NidusError } from '../errors.js'
