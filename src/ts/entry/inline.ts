import textBytes from 'inline:nidus-text.wasm'
import bytes from 'inline:nidus.wasm'
import textSource from 'inline:text.js'
import source from 'inline:worker.js'
import { Nidus as Api } from '../api/nidus.js'
import { browserPlatform } from '../platforms/browser.js'
import type { Platform } from '../contract/platform.js'
import type { WasmSource } from '../types/segment.js'
import { configured } from '../runtime/configure.js'

const JAVASCRIPT = { type: 'text/javascript' }
/** The addresses of the module of texts and of its wasm. They are kept for as long as the page, as the worker's is. */
let texts: [script: string, wasm: string] | undefined
const textAddresses = () =>
  (texts ??= [
    URL.createObjectURL(new Blob([textSource], JAVASCRIPT)),
    URL.createObjectURL(new Blob([textBytes as BufferSource], { type: 'application/wasm' })),
  ])
// Workers start further ones from it.
let address: string | undefined
const platform = browserPlatform(() => {
  // The worker has no address beside which the files could be.
  const told = `globalThis.nidusText=${JSON.stringify(textAddresses())};`
  address ??= URL.createObjectURL(new Blob([told, source], JAVASCRIPT))
  return new Worker(address, { type: 'module' })
})

let compiling: Promise<WebAssembly.Module> | undefined
/** Compiled once, and sent to the workers as it is. What is wrong with it is told where it is instantiated. */
const own = (given: WasmSource | undefined): Promise<WasmSource> | WasmSource =>
  given ?? (compiling ??= WebAssembly.compile(bytes as BufferSource)).catch(() => bytes as BufferSource)

const inlined: Platform = {
  ...platform,
  open: async (spec, worker, wasm, source) => platform.open(spec, worker, await own(wasm), source),
  salvage: async (storage, spec, options) =>
    platform.salvage(storage, spec, { ...options, wasm: await own(options.wasm) }),
}
export const Nidus = configured(
  {
    platform: inlined,
    wasm: { plain: () => bytes as BufferSource },
    text: async () => {
      const [script, wasm] = textAddresses()
      return (await import('../platforms/text-here.js')).loadTextHere(
        () => script,
        () => fetch(wasm),
      )
    },
  },
  Api,
)
export { NidusError } from '../errors/errors.js'
