import { NidusError } from './errors.js'
import type { WasmSource } from './types/segment.js'
import { coreModule, loadCore } from './wasm.js'

let prefer: (() => void) | undefined
/** An entry whose default is the module of a page's stores says here how the other one becomes the default. */
export const setWhole = (own: () => void) => void (prefer = own)

/** Loads the core, the whole one if none was loaded yet. */
export function loadWhole(wasm: WasmSource | undefined): Promise<void> {
  prefer?.()
  return loadCore(wasm)
}

/** For what the module of a page's stores is without, so that it is not downloaded for it. */
export function needWhole(what: string) {
  const module = coreModule()
  if (!module || WebAssembly.Module.exports(module).some(({ name }) => name === 'salvage_new')) return
  throw new NidusError('UNSUPPORTED', `${what} needs nidus.wasm or nidus-relaxed.wasm: nidus-page.wasm, which was loaded, can only open, write and search; pass the other as \`wasm\``)
}
