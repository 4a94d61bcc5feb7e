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
      const [{ openText }, { default: module }] = await Promise.all([
        import('../text/index.js'),
        import('./nidus-text.wasm'),
      ])
      return { openText, module }
    },
  },
  Api,
)
export { NidusError } from '../errors/errors.js'
