import { readFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { serveShard } from '../engine/shard.js'
import { setWasmDefaults } from '../wasm-source.js'

const here = import.meta.url
setWasmDefaults(() => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))), () => new Uint8Array(readFileSync(new URL('./nidus-relaxed.wasm', here))))
const port = parentPort
if (port) {
  serveShard({
    postMessage: (message, transfer) => port.postMessage(message, transfer as never),
    addEventListener: (type, listener) => void port.on(type, (data: unknown) => listener({ data })),
  })
}
