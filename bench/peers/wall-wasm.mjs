// Makes the wasm of the memory wall. binaryen compiles it from its text form.
import { writeFile } from '../../scripts/lib.mjs'

const step = [0, 16, 32, 48]
  .map((offset, i) => `(local.set $s${i} (v128.xor (local.get $s${i}) (v128.load offset=${offset} (local.get $at))))`)
  .join('\n')
const text = `(module
  (memory (export "memory") 1 65536)
  (func (export "read") (param $at i32) (param $end i32) (result i32)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (loop $again
      ${step}
      (local.set $at (i32.add (local.get $at) (i32.const 64)))
      (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $s0 (v128.xor (v128.xor (local.get $s0) (local.get $s1)) (v128.xor (local.get $s2) (local.get $s3))))
    (i32.xor
      (i32.xor (i32x4.extract_lane 0 (local.get $s0)) (i32x4.extract_lane 1 (local.get $s0)))
      (i32.xor (i32x4.extract_lane 2 (local.get $s0)) (i32x4.extract_lane 3 (local.get $s0))))))`

/**
 * Writes the wasm to a file, and returns its path. Its function reads in steps of 64 bytes. The last step may read up
 * to 60 bytes after the rows, so the memory must be a little larger than they are.
 */
export async function makeWall(path) {
  const { default: binaryen } = await import('binaryen')
  const module = binaryen.parseText(text)
  module.setFeatures(binaryen.Features.SIMD128)
  if (!module.validate()) throw new Error('binaryen refused the text of the memory wall')
  writeFile(path, module.emitBinary())
  module.dispose()
  return path
}
