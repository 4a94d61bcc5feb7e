import { NEEDS_WHOLE } from '../lean.js'
import { serve } from '../rpc/server.js'
import { setWasmDefaults } from '../wasm-source.js'

setWasmDefaults(
  () => fetch(new URL('./nidus-page.wasm', import.meta.url)),
  () => fetch(new URL('./nidus-page-relaxed.wasm', import.meta.url)),
  undefined,
  () => fetch(new URL('./nidus.wasm', import.meta.url)),
)
if (typeof WorkerGlobalScope !== 'undefined') serve(globalThis as unknown as Parameters<typeof serve>[0], NEEDS_WHOLE)

declare const WorkerGlobalScope: unknown
