import { runtime } from '../runtime/configure.js'
import { NidusError } from '../errors/errors.js'
import type { WasmSource } from '../types/segment.js'
import { coreModule, loadCore } from './load.js'

/** Loads the core. If none was loaded yet, loads the module that has everything. */
export function loadWhole(wasm: WasmSource | undefined): Promise<void> {
  if (runtime.wholeWasm) runtime.wasm = runtime.wholeWasm
  return loadCore(wasm)
}

/** Throws if the module that was loaded is the small one of pages, which lacks what `what` needs. */
export function needWhole(what: string) {
  const module = coreModule()
  if (!module || WebAssembly.Module.exports(module).some(({ name }) => name === 'salvage_new')) return
  throw new NidusError(
    'UNSUPPORTED',
    `${what} needs nidus.wasm or nidus-relaxed.wasm: pass one of them as \`wasm\`; nidus-page.wasm, which was ` +
      'loaded, can only open, write and search',
  )
}
