// Short names for the functions that the generated glue and the wasm share. wasm-bindgen's own names contain hashes,
// which cannot be compressed, and both files contain them.
import { Trouble } from './lib.mjs'
import { FIRST, SHARED } from './split.mjs'

/**
 * src/ts/core looks for these names. Every module of this package has the first one, and only the complete
 * module has the second.
 */
const KEPT = new Set(['__wbindgen_start', 'salvage_new'])
/** Internal names of the wrappers. Only the glue uses them. */
const INTERNAL = { __wbg_ptr: '$p', __destroy_into_raw: '$d', __wrap: '$w' }
const MODULE = './core_bg.js'

const IMPORTED = /^( +)(__wb\w+)(?=: function)/gm
const EXPORTED = /\bwasm\.(\w+)/g

/** Returns the short name of each function of one glue. All modules that share the glue get the same names. */
export function namesOf(glue) {
  const long = new Set([
    ...[...glue.matchAll(IMPORTED)].map(([, , name]) => name),
    ...[...glue.matchAll(EXPORTED)].map(([, name]) => name),
  ])
  return new Map([
    [MODULE, 'a'],
    ...[...long]
      .sort()
      .map((name, i) => [
        name,
        KEPT.has(name) ? name : `${String.fromCharCode(97 + (i % 26))}${i < 26 ? '' : Math.floor(i / 26)}`,
      ]),
  ])
}

export function renameInGlue(glue, names) {
  const short = glue
    .replace(IMPORTED, (_, space, name) => space + names.get(name))
    .replace(EXPORTED, (_, name) => `wasm.${names.get(name)}`)
    .replaceAll(`"${MODULE}"`, `"${names.get(MODULE)}"`)
  return Object.entries(INTERNAL).reduce(
    (text, [long, name]) => text.replaceAll(new RegExp(`\\b${long}\\b`, 'g'), name),
    short,
  )
}

/**
 * Returns the wasm with its imports and exports renamed. A function that the glue does not name is not exported any
 * more.
 */
export function renameInWasm(bytes, names) {
  const sections = [bytes.subarray(0, 8)]
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at]
    const [size, from] = number(bytes, at + 1)
    const to = from + size
    const body =
      id === 2 ? imports(bytes, from, names) : id === 7 ? exports(bytes, from, names) : bytes.subarray(from, to)
    sections.push(Buffer.from([id, ...leb(body.length)]), body)
    at = to
  }
  return Buffer.concat(sections)
}

function imports(bytes, at, names) {
  return entries(bytes, at, (at) => {
    const [module, afterModule] = text(bytes, at)
    const [name, from] = text(bytes, afterModule)
    if (module === FIRST) return imported(bytes, at, from)
    if (!names.has(module) || !names.has(name))
      throw new Trouble(`the wasm imports ${module} ${name}, which its glue does not have`)
    // Every other import is a function: a kind and an index.
    if (bytes[from] !== 0) throw new Trouble(`the wasm imports ${name}, which is no function`)
    const to = number(bytes, from + 1)[1]
    return { to, entry: Buffer.concat([word(names.get(module)), word(names.get(name)), bytes.subarray(from, to)]) }
  })
}

/** Returns an import of one part of a module from the other as it is. `from` is where its kind stands. */
function imported(bytes, at, from) {
  const to = [
    () => number(bytes, from + 1)[1],
    () => afterLimits(bytes, from + 2),
    () => afterLimits(bytes, from + 1),
    () => from + 3,
  ][bytes[from]]()
  return { to, entry: bytes.subarray(at, to) }
}

/** Returns where the limits of a table or a memory end. */
function afterLimits(bytes, at) {
  const least = number(bytes, at + 1)[1]
  return bytes[at] === 1 ? number(bytes, least)[1] : least
}

function exports(bytes, at, names) {
  return entries(bytes, at, (at) => {
    const [name, from] = text(bytes, at)
    const to = number(bytes, from + 1)[1]
    const short = name.startsWith(SHARED) ? name : names.get(name)
    return { to, entry: short === undefined ? undefined : Buffer.concat([word(short), bytes.subarray(from, to)]) }
  })
}

function entries(bytes, at, read) {
  const [count, first] = number(bytes, at)
  const kept = []
  for (let i = 0, from = first; i < count; i++) {
    const { to, entry } = read(from)
    if (entry) kept.push(entry)
    from = to
  }
  return Buffer.concat([Buffer.from(leb(kept.length)), ...kept])
}

function number(bytes, at) {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    value += (bytes[at] & 127) * 2 ** shift
    if (bytes[at++] < 128) return [value, at]
  }
}

const text = (bytes, at) => {
  const [length, from] = number(bytes, at)
  return [Buffer.from(bytes.subarray(from, from + length)).toString(), from + length]
}
const leb = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)])
const word = (name) => Buffer.from([...leb(name.length), ...Buffer.from(name)])

/**
 * Patterns of the parts of a glue: the functions that it gives to the wasm, its other functions, and its methods. Two
 * functions are left out, because they list the others.
 */
const PARTS = [
  /^        (__wb\w+): (function|\()[^]*?^        \},$/gm,
  /^(?:export )?(?:async )?function (?!__wbg_(?:get_imports|finalize_init)\b)\w+\([^]*?^\}$/gm,
  /^    (?:static |get )*\w+\([^]*?^    \}$/gm,
]

/**
 * Returns the first line of a part of the glue `part` that the glue `whole` does not contain unchanged. A module that
 * was made for the one would not work with the other.
 */
export function notWithin(part, whole) {
  for (const pattern of PARTS)
    for (const [text] of part.matchAll(pattern)) if (!whole.includes(text)) return text.split('\n')[0].trim()
  return undefined
}
