import { NEEDS_WHOLE } from '../platforms/small-worker.js'
import { loadText } from '../platforms/text-files.js'
import { serveSwitchboard } from '../remote/switchboard.js'
import { serve } from '../remote/worker.js'
import { configureRuntime } from '../runtime/configure.js'
import { WORKER_FILES } from './worker-files.js'

configureRuntime({
  ...WORKER_FILES,
  text: () =>
    loadText(new URL('./text.js', import.meta.url).href, () => fetch(new URL('./nidus-text.wasm', import.meta.url))),
})
serveSwitchboard()
if ('WorkerGlobalScope' in globalThis) serve(globalThis as unknown as Parameters<typeof serve>[0], NEEDS_WHOLE)
