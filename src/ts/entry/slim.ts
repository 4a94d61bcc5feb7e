import { invalid } from '../errors/errors.js'
import { Nidus as Api } from '../api/nidus.js'
import { browserPlatform } from '../platforms/browser.js'
import { configured } from '../runtime/configure.js'

// No address in it, so that there is nothing for a bundler to find: whoever opens a store says where the worker is.
export const Nidus = configured(
  {
    platform: browserPlatform(() => {
      throw invalid('nidus-wasm/slim has no worker of its own: `worker: () => new Worker(...)`, of "nidus-wasm/worker"')
    }),
  },
  Api,
)
export { NidusError } from '../errors/errors.js'
