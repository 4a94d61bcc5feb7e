import { serveShard } from '../engine/shard.js'
import { setShardStart } from '../engine/shards.js'
import { serve } from '../rpc/server.js'
import { setWasmDefaults } from '../wasm-source.js'
import { setWhole } from '../wasm-whole.js'

const whole = () => fetch(new URL('./nidus.wasm', import.meta.url))
setWasmDefaults(() => fetch(new URL('./nidus-page.wasm', import.meta.url)), () => fetch(new URL('./nidus-page-relaxed.wasm', import.meta.url)), undefined, whole)
setWhole(() => setWasmDefaults(whole, () => fetch(new URL('./nidus-relaxed.wasm', import.meta.url))))
if (typeof WorkerGlobalScope !== 'undefined') {
  const scope = globalThis as unknown as Parameters<typeof serve>[0]
  serve(scope)
  // The same file serves for those that search a share of its rows.
  serveShard(scope)
  if (typeof Worker === 'function') setShardStart(() => new Worker(location.href, { type: 'module' }))
}

declare const WorkerGlobalScope: unknown
