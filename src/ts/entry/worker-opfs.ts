import { NEEDS_WHOLE } from '../platforms/small-worker.js'
import { loadText } from '../platforms/text-files.js'
import { serve } from '../remote/worker.js'
import { configureRuntime } from '../runtime/configure.js'

configureRuntime({
  wasm: {
    relaxed: () => fetch(new URL('./nidus-first-relaxed.wasm', import.meta.url)),
    plain: () => fetch(new URL('./nidus-first.wasm', import.meta.url)),
    whole: () => fetch(new URL('./nidus.wasm', import.meta.url)),
  },
  parts: {
    rest: {
      relaxed: () => fetch(new URL('./nidus-rest-relaxed.wasm', import.meta.url)),
      plain: () => fetch(new URL('./nidus-rest.wasm', import.meta.url)),
    },
    codes: {
      relaxed: () => fetch(new URL('./nidus-codes-relaxed.wasm', import.meta.url)),
      plain: () => fetch(new URL('./nidus-codes.wasm', import.meta.url)),
    },
  },
  text: () =>
    loadText(new URL('./text.js', import.meta.url).href, () => fetch(new URL('./nidus-text.wasm', import.meta.url))),
})
if (typeof WorkerGlobalScope !== 'undefined') serve(globalThis as unknown as Parameters<typeof serve>[0], NEEDS_WHOLE)

declare const WorkerGlobalScope: unknown
