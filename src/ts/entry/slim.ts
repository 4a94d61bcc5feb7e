import { invalid } from '../errors/errors.js'
import { Nidus as Api } from '../api/nidus.js'
import { browserPlatform } from '../platforms/browser.js'
import { configured } from '../runtime/configure.js'

// This entry names no file, so a bundler has nothing to find. The caller passes the worker.
export const Nidus = configured(
  {
    platform: browserPlatform(() => {
      throw invalid('nidus-wasm/slim needs a worker: pass `worker: () => new Worker(...)` with "nidus-wasm/worker"')
    }),
  },
  Api,
)
export { NidusError } from '../errors/errors.js'
