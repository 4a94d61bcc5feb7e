import { runtime } from '../runtime/configure.js'
import { NidusError } from '../errors/errors.js'
import type { WasmSource } from '../types/segment.js'
import { coreModule, loadCore } from './load.js'

/** Loads the core. If none was loaded yet, loads the module that has everything. */
export function loadWhole(wasm: WasmSource | undefined): Promise<void> {
  if (runtime.wholeWasm) runtime.wasm = runtime.wholeWasm
  return loadCore(wasm)
}

/** For what the module of a page's stores is without, so that it is not downloaded for it. */
export function needWhole(what: string) {
  const module = coreModule()
  if (!module || WebAssembly.Module.exports(module).some(({ name }) => name === 'salvage_new')) return
  throw new NidusError(
    'UNSUPPORTED',
    `${what} needs nidus.wasm or nidus-relaxed.wasm: nidus-page.wasm, which was loaded, can only open, write and search; pass the other as \`wasm\``,
  )
}
