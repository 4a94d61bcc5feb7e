// Changes the shipped wasm so that it has a fault that also happens in practice: too little memory, or a function that
// traps.
import { readFileSync } from 'node:fs'
import binaryen from 'binaryen'
import { namesOf } from '../../scripts/names.mjs'

const shipped = () => readFileSync(new URL('../../dist/nidus.wasm', import.meta.url))

function leb(value) {
  const bytes = []
  do bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0))
  while ((value >>>= 7))
  return bytes
}

function readLeb(bytes, at) {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value: value >>> 0, end: at }
  }
}

/** Returns the wasm with a memory that can grow only by this many pages of 64 KiB. */
export function withMemory(pages) {
  const bytes = shipped()
  for (let at = 8; at < bytes.length;) {
    const { value: size, end } = readLeb(bytes, at + 1)
    if (bytes[at] !== 5) {
      at = end + size
      continue
    }
    const { value: initial } = readLeb(bytes, end + 2)
    const section = [1, 1, ...leb(initial), ...leb(initial + pages)]
    return Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from([5, ...leb(section.length), ...section]),
      bytes.subarray(end + size),
    ])
  }
  throw new Error('the wasm has no memory of its own')
}

/** Returns the short name that an export has in the shipped wasm. `name` is the one that wasm-bindgen gave it. */
const shortName = (name) =>
  namesOf(readFileSync(new URL('../../target/nidus-wasm/bound-nidus.wasm/core.js', import.meta.url), 'utf8')).get(name)

/** Returns the wasm with an export that traps, as a panic does. */
export function trapping(name) {
  const module = binaryen.readBinary(shipped())
  try {
    const {
      SIMD128,
      BulkMemory,
      BulkMemoryOpt = 0,
      NontrappingFPToInt,
      SignExt,
      MutableGlobals,
      ReferenceTypes,
      Multivalue,
    } = binaryen.Features
    module.setFeatures(
      SIMD128 |
        BulkMemory |
        BulkMemoryOpt |
        NontrappingFPToInt |
        SignExt |
        MutableGlobals |
        ReferenceTypes |
        Multivalue,
    )
    const found = module.getExport(shortName(name))
    if (!found) throw new Error(`the wasm has no export ${name}`)
    const { value } = binaryen.getExportInfo(found)
    const { params, results } = binaryen.getFunctionInfo(module.getFunction(value))
    module.removeFunction(value)
    module.addFunction(value, params, results, [], module.unreachable())
    return Buffer.from(module.emitBinary())
  } finally {
    module.dispose()
  }
}
