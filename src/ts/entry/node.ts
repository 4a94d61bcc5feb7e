import { readFileSync } from 'node:fs'
import { setShardStart } from '../engine/shards.js'
import { Nidus as Api } from '../nidus.js'
import { nodePlatform } from '../platform-node.js'
import { withPlatform } from '../platform.js'
import { nodeWorker } from '../threads-node.js'
import { readWasm } from '../wasm-node.js'
import { setWasmDefaults } from '../wasm-source.js'

// Not new URL(…, import.meta.url): webpack would take it for an asset and hand a wrong URL to readFileSync.
const here = import.meta.url
export const Nidus = withPlatform(
  nodePlatform,
  () => setWasmDefaults(() => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))), () => new Uint8Array(readFileSync(new URL('./nidus-relaxed.wasm', here))), readWasm),
  Api,
)
setShardStart(() => nodeWorker(new URL('./shard-node.js', here)))
export { NidusError } from '../errors.js'
