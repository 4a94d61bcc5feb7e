import { initSync } from './core.js'
import { NidusError, invalid, messageOf } from '../errors/errors.js'
import type { WasmSource } from '../types/segment.js'
import { runtime, type WasmFiles } from '../runtime/configure.js'
import { describe } from './wire.js'

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
    : new NidusError('FAILED', 'the wasm core of this thread stopped earlier; reload the page or restart the process', {
        cause: trap,
      })
}

/**
 * Returns a module whose function `f` returns the first sum of `i32x4.relaxed_dot_i8x16_i7x16_add_s` for bytes of 127
 * and of 255. These are constants of sixteen equal bytes (`v128.const`).
 */
const probe = () => [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 64, 1, 62, 0],
  ...[127, 255, 0].flatMap((byte) => [253, 12, ...new Array<number>(16).fill(byte)]),
  ...[253, 147, 2, 253, 27, 0, 11],
]
/** That sum where products are added in pairs that saturate: 2 × 32,767. */
const IN_PAIRS = 65534

/**
 * Returns whether the runtime has the instruction, runs it rightly, and has a product of bytes in the processor for it.
 * A processor of x86 without that product (AVX-VNNI) adds products in pairs first, and then the relaxed module is the
 * slower one. V8's baseline compiler ran the instruction wrongly at first: 11.3 and 11.8 were seen to, 12.4 was not.
 * Only the lack of a later feature shows such a V8. The feature here, modifiers in regular expressions, came with 12.5.
 */
function isRelaxedQuicker() {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(probe())))
    return new RegExp('(?i:a)').test('A') && (exports.f as () => number)() !== IN_PAIRS
  } catch {
    return false
  }
}

/**
 * Compiles the package's own module. There are two or three files that do the same, and the first one that can be
 * loaded is used.
 */
async function own() {
  const { relaxed, plain, whole } = runtime.wasm
  if (!plain) throw invalid('there is no default for the `wasm` option here')
  let last: unknown
  for (const read of [relaxed && isRelaxedQuicker() ? relaxed : undefined, plain, whole]) {
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
  if (!WebAssembly.Module.exports(module).some(({ name }) => name === '__wbindgen_start')) {
    throw new NidusError('UNSUPPORTED', 'this .wasm file is not of this nidus-wasm: pass the one in its dist')
  }
  try {
    initSync({ module })
    loadedModule = module
  } catch (error) {
    throw new NidusError('UNSUPPORTED', `this runtime cannot run the wasm core: ${messageOf(error)}`, { cause: error })
  }
}

/** Compiles what `read` returns, or `source` if there is no `read`. */
export async function compile(
  source: WasmSource | undefined,
  read?: NonNullable<WasmFiles['plain']>,
): Promise<WebAssembly.Module> {
  let bytes: Response | BufferSource | WebAssembly.Module
  try {
    if (read) bytes = await read()
    else if (typeof source === 'string' || source instanceof URL) bytes = await runtime.readWasm(source)
    else bytes = source!
    if (typeof Response !== 'undefined' && bytes instanceof Response) {
      if (!bytes.ok) throw new Error(`${bytes.url} answered ${bytes.status}`)
      // compileStreaming demands the right content type. Small servers often send a wrong one with the right bytes.
      if (
        bytes.headers.get('content-type')?.split(';')[0]?.trim() === 'application/wasm' &&
        'compileStreaming' in WebAssembly
      ) {
        return await WebAssembly.compileStreaming(bytes)
      }
      bytes = await bytes.arrayBuffer()
    }
  } catch (error) {
    if (error instanceof NidusError) throw error
    if (error instanceof WebAssembly.CompileError) throw cannotCompile(error)
    throw new NidusError('FAILED', `the .wasm file could not be loaded: ${messageOf(error)}`, { cause: error })
  }
  if (bytes instanceof WebAssembly.Module) return bytes
  if (!ArrayBuffer.isView(bytes) && !/Buffer\]$/.test(Object.prototype.toString.call(bytes))) {
    throw invalid(`wasm can be an address, a Response, bytes or a WebAssembly.Module, not ${describe(bytes)}`)
  }
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes as ArrayBuffer)
  if (String.fromCharCode(...view.subarray(0, 4)) !== '\0asm') {
    throw new NidusError('FAILED', 'the .wasm file is no wasm (an HTML page?): check its address')
  }
  try {
    return await WebAssembly.compile(view)
  } catch (error) {
    throw cannotCompile(error)
  }
}

const cannotCompile = (error: unknown) =>
  new NidusError(
    'UNSUPPORTED',
    `this runtime cannot compile the wasm core (it needs SIMD; with CSP, 'wasm-unsafe-eval'): ${messageOf(error)}`,
    { cause: error },
  )
