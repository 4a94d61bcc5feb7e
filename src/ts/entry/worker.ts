import { loadText } from '../platforms/text-files.js'
import { PageSearchWorkers } from '../remote/page-search-workers.js'
import { serveSwitchboard } from '../remote/switchboard.js'
import { serve } from '../remote/worker.js'
import { configureRuntime } from '../runtime/configure.js'
import { serveSearchWorker } from '../threads/worker.js'
import { WORKER_FILES } from './worker-files.js'

/** The addresses that `inline.ts` gives its worker. */
const inlined = (globalThis as { nidusText?: [script: string, wasm: string] }).nidusText
configureRuntime({
  ...WORKER_FILES,
  wholeWasm: {
    relaxed: () => fetch(new URL('./nidus-relaxed.wasm', import.meta.url)),
    plain: WORKER_FILES.wasm.whole,
  },
  text: () =>
    loadText(inlined?.[0] ?? new URL('./text.js', import.meta.url).href, () =>
      fetch(inlined?.[1] ?? new URL('./nidus-text.wasm', import.meta.url)),
    ),
})
serveSwitchboard()
if (typeof WorkerGlobalScope !== 'undefined') {
  const scope = globalThis as unknown as Parameters<typeof serve>[0]
  serve(scope, undefined, (page) => {
    const workers = new PageSearchWorkers(page)
    configureRuntime({ startSearchWorker: () => workers.start() })
    return workers
  })
  // The same file serves as a search worker, too: then the page sends a port first.
  scope.addEventListener('message', ({ data }) => {
    if (!(data instanceof MessagePort)) return
    serveSearchWorker(data)
    data.start()
  })
}

declare const WorkerGlobalScope: unknown
