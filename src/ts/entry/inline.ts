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
/**
 * The addresses of the module of texts and of its wasm. Like the worker's address, they are valid as long as the page.
 */
let texts: [script: string, wasm: string] | undefined
const textAddresses = () =>
  (texts ??= [
    URL.createObjectURL(new Blob([textSource], JAVASCRIPT)),
    URL.createObjectURL(new Blob([textBytes as BufferSource], { type: 'application/wasm' })),
  ])
// Kept, since a worker starts search workers from its own address.
let address: string | undefined
const platform = browserPlatform(() => {
  // No files lie beside the worker's address, so the worker gets their addresses.
  const told = `globalThis.nidusText=${JSON.stringify(textAddresses())};`
  address ??= URL.createObjectURL(new Blob([told, source], JAVASCRIPT))
  return new Worker(address, { type: 'module' })
})

let compiling: Promise<WebAssembly.Module> | undefined
/** Compiles the wasm once for all workers. If that fails, the worker gets the bytes, and its error says why. */
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
