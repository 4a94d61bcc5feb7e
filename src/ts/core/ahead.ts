import { runtime } from '../runtime/configure.js'
import { inTime } from '../runtime/schedule.js'
import { isRelaxedQuicker } from './relaxed.js'

let ahead: Promise<WebAssembly.Module | undefined> | undefined

/**
 * Loads and compiles the package's own module in a page, for its workers. Otherwise each would load it after its script.
 * Resolves with undefined if that fails. Then the worker tries it by itself, and its error says why.
 */
export const moduleAhead = (): Promise<WebAssembly.Module | undefined> =>
  (ahead ??= start().catch(() => (ahead = undefined)))

async function start() {
  const { relaxed, plain } = runtime.wasm
  const load = relaxed && isRelaxedQuicker() ? relaxed : plain
  return inTime(WebAssembly.compileStreaming(load!() as Promise<Response>))
}
