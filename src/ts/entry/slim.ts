import { invalid } from '../errors.js'
import { Nidus as Api } from '../nidus.js'
import { browserPlatform } from '../platform-browser.js'
import { withPlatform } from '../platform.js'

// No address in it, so that there is nothing for a bundler to find: whoever opens a store says where the worker is.
export const Nidus = withPlatform(
  browserPlatform(() => {
    throw invalid('nidus-wasm/slim has no worker of its own: `worker: () => new Worker(...)`, of "nidus-wasm/worker"')
  }),
  () => {},
  Api,
)
export { NidusError } from '../errors.js'
