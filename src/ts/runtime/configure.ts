import type { Platform } from '../contract/platform.js'
import type { SearchWorker } from '../contract/search-worker.js'
import type { OpenText } from '../contract/text.js'

type Source = Response | BufferSource | WebAssembly.Module
type Load = () => Promise<Source> | Source

/** A part of the core that is loaded when it is first needed (see core/parts.ts). */
export type Part = 'rest' | 'codes'

/** The package's own .wasm files, as the runtime's entry finds them. The first one that can be loaded is used. */
export interface WasmFiles {
  /** The same module with an instruction that makes searches quicker. It is tried first where the runtime has it. */
  relaxed?: Load | undefined
  plain?: Load | undefined
  /** The module that has everything. It is tried last. */
  whole?: Load | undefined
}

/** The parts that differ by runtime. Each entry supplies its own before anything is opened. */
export interface Runtime {
  platform?: Platform
  wasm: WasmFiles
  /** Reads a .wasm file at an address that the caller gave. */
  readWasm: (url: string | URL) => Promise<Response | BufferSource>
  /** The files to use instead of `wasm` once the module that has everything is needed. */
  wholeWasm?: WasmFiles
  /** Loads the other parts of `wasm.relaxed` or of `wasm.plain`, where these are only first parts. */
  parts?: Readonly<Record<Part, Readonly<Record<'relaxed' | 'plain', Load>>>>
  /** Loads the module of texts. `module` loads its wasm. Missing where there is none. */
  text?: () => Promise<{ openText: OpenText; module: () => Promise<WebAssembly.Module> }>
  /** Starts one more search worker. Missing where there are no workers. */
  startSearchWorker?: () => SearchWorker
}

export const runtime: Runtime = { wasm: {}, readWasm: (url) => fetch(url) }

export const configureRuntime = (parts: Partial<Runtime>): void => void Object.assign(runtime, parts)

/**
 * Configures the runtime and returns the class that an entry exports. An entry must export the returned value: a
 * bundler may drop a module from which nothing is used, and with it a call in that module.
 */
export function configured<T>(parts: Partial<Runtime>, api: T): T {
  configureRuntime(parts)
  return api
}
