import { runtime } from '../runtime/configure.js'
import { inTime } from '../runtime/schedule.js'
import { isOurs, relaxedFile } from './own-files.js'

let module: Promise<WebAssembly.Module | undefined> | undefined

/** The package's own module, for the workers of a page. Otherwise each would load it after its script. */
export const ahead = {
  /**
   * Loads and compiles it once. Resolves with undefined if that fails. Then the worker tries it by itself, and its error
   * says why.
   */
  module: (): Promise<WebAssembly.Module | undefined> => (module ??= start().catch(() => (module = undefined))),
  /** Lets the next call load it anew, after a store could not be opened with it. */
  forget: (): void => void (module = undefined),
}

async function start() {
  const response = (relaxedFile() ?? runtime.wasm.plain!)() as Promise<Response>
  // If compiling is refused, nobody else waits for the response.
  response.catch(() => {})
  const made = await inTime(WebAssembly.compileStreaming(response))
  // A file of something else is not kept.
  return isOurs(made) ? made : (module = undefined)
}
