import bytes from 'inline:nidus.wasm'
import source from 'inline:worker.js'
import { Nidus as Api } from '../api/nidus.js'
import { browserPlatform } from '../platforms/browser.js'
import type { Platform } from '../contract/platform.js'
import type { WasmSource } from '../types/segment.js'
import { configured } from '../runtime/configure.js'

// Kept for as long as the page: workers start further ones from it.
let address: string | undefined
const platform = browserPlatform(
  () =>
    new Worker((address ??= URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))), { type: 'module' }),
)

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
export const Nidus = configured({ platform: inlined, wasm: { plain: () => bytes as BufferSource } }, Api)
export { NidusError } from '../errors/errors.js'
