import { runtime, type WasmFiles } from '../runtime/configure.js'

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
function isRelaxedQuicker(): boolean {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(probe())))
    return new RegExp('(?i:a)').test('A') && (exports.f as () => number)() !== IN_PAIRS
  } catch {
    return false
  }
}

/** Returns the file of the package to try first, if there is another one than the plain one. */
export const relaxedFile = (): WasmFiles['relaxed'] =>
  runtime.wasm.relaxed && isRelaxedQuicker() ? runtime.wasm.relaxed : undefined

/** Returns whether a module is of this package. Every one of them has this export. */
export const isOurs = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.exports(module).some(({ name }) => name === '__wbindgen_start')
