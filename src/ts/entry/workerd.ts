import wasm from './nidus.wasm'
import { tellCodes } from '../errors/durable-object-rpc.js'
import { Nidus as Api } from '../api/nidus.js'
import { workerdPlatform } from '../platforms/workerd.js'
import { configured } from '../runtime/configure.js'

tellCodes()

// workerd compiles nothing at run time: the import above is the compiled module.
export const Nidus = configured(
  {
    platform: workerdPlatform,
    wasm: { plain: () => wasm },
    text: async () => {
      const { openText } = await import('../text/index.js')
      return { openText, module: async () => (await import('./nidus-text.wasm')).default }
    },
  },
  Api,
)
export { NidusError } from '../errors/errors.js'
