import { initSync } from './core.js'
import { NidusError, invalid, messageOf } from '../errors/errors.js'
import type { WasmSource } from '../types/segment.js'
import { runtime, type WasmFiles } from '../runtime/configure.js'
import { isOurs, relaxedFile } from './own-files.js'
import { inTime } from '../runtime/schedule.js'

let loading: Promise<void> | undefined
let loaded = false
let trap: unknown
let loadedModule: WebAssembly.Module | undefined

/** Returns the module, for another thread, which then need not load it. */
export const coreModule = () => loadedModule

/** Loads the core once in this thread. A load that failed can be tried again, with the same source or another. */
export function loadCore(source?: WasmSource): Promise<void> {
  if (trap !== undefined) return Promise.reject(deadCore())
  loading ??= start(source).then(
    () => {
      loaded = true
    },
    (error: unknown) => {
      loading = undefined
      throw error
    },
  )
  return loading
}

export const coreLoaded = () => loaded

/** Notes a trap. All stores of the thread share the instance, and none may enter it after a trap. */
export function noteTrap(error: unknown) {
  trap ??= error
}

export function deadCore(): NidusError | undefined {
  return trap === undefined
    ? undefined
    : new NidusError('FAILED', 'the wasm stopped earlier: reload the page or restart the process', {
        cause: trap,
      })
}

/**
 * Compiles the package's own module. There are two or three files that do the same, and the first one that can be
 * loaded is used.
 */
async function own() {
  const { plain, whole } = runtime.wasm
  if (!plain) throw invalid('there is no default for the `wasm` option here')
  let last: unknown
  for (const read of [relaxedFile(), plain, whole]) {
    if (!read) continue
    try {
      return await compile(undefined, read)
    } catch (error) {
      // Perhaps only this file is missing. If not, the error of the last file says what is wrong.
      last = error
    }
  }
  throw last
}

async function start(source: WasmSource | undefined) {
  const module = source === undefined ? await own() : await compile(source)
  // Checked first: after one attempt to instantiate, even a failed one, the glue takes no other module.
  if (!isOurs(module)) {
    throw new NidusError('UNSUPPORTED', 'the .wasm file is not of this nidus-wasm: pass the one in its dist')
  }
  try {
    initSync({ module })
    loadedModule = module
  } catch (error) {
    throw new NidusError('UNSUPPORTED', `the wasm cannot run here: ${messageOf(error)}`, { cause: error })
  }
}

/** Compiles what `read` returns, or `source` if there is no `read`. */
export async function compile(
  source: WasmSource | undefined,
  read?: NonNullable<WasmFiles['plain']>,
): Promise<WebAssembly.Module> {
  let bytes: BufferSource | WebAssembly.Module
  try {
    const isAddress = typeof source === 'string' || source instanceof URL
    const given = read ? read() : isAddress ? runtime.readWasm(source) : source!
    // Cloudflare's Workers have modules, and no timers while they start.
    if (given instanceof WebAssembly.Module) return given
    bytes = await inTime(Promise.resolve(given).then(received))
  } catch (error) {
    if (error instanceof NidusError) throw error
    if (error instanceof WebAssembly.CompileError) throw cannotCompile(error)
    throw new NidusError('FAILED', `the .wasm file could not be loaded: ${messageOf(error)}`, { cause: error })
  }
  if (bytes instanceof WebAssembly.Module) return bytes
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes)
  if (String.fromCharCode(...view.subarray(0, 4)) !== '\0asm') {
    throw new NidusError('FAILED', 'the .wasm file is no wasm (an HTML page?): check its address')
  }
  try {
    return await WebAssembly.compile(view)
  } catch (error) {
    throw cannotCompile(error)
  }
}

/** Reads a response whole, or compiles it while it arrives. */
async function received(source: Response | BufferSource | WebAssembly.Module) {
  // Node loads all of its `fetch` when `Response` is first named. So bytes are told apart before.
  if (ArrayBuffer.isView(source) || typeof Response === 'undefined' || !(source instanceof Response)) return source
  if (!source.ok) throw new Error(`${source.url} answered ${source.status}`)
  // compileStreaming demands just this content type. Small servers often send another one with the right bytes.
  const isWasm = source.headers.get('content-type') === 'application/wasm'
  return isWasm && 'compileStreaming' in WebAssembly ? WebAssembly.compileStreaming(source) : source.arrayBuffer()
}

const cannotCompile = (error: unknown) =>
  new NidusError(
    'UNSUPPORTED',
    `the wasm cannot be compiled here (damaged? no SIMD? no 'wasm-unsafe-eval' in the CSP?): ${messageOf(error)}`,
    { cause: error },
  )
