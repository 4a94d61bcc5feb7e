// Splits a module in two: what every page needs, and the rest, which a page loads when it first needs it. Both use one
// memory, one table and the same globals. The first part exports them and the functions that the rest calls.
import { createHash } from 'node:crypto'
import { Trouble } from './lib.mjs'

/** The exports that only the rest has. src/ts/engine/door.ts loads the rest before they are called. */
const EXPORTS = [
  // Compaction.
  /^store_(begin|finish|abandon|adopt)Compaction$/,
  /^store_(compactStep|adoptStep)$/,
  // Filters that are evaluated in slices, deletions by a filter, and collections that are dropped.
  /matching/,
  /^store_stageDeleteWhere$/,
  /^store_stageDrop$/,
  // Pages of records.
  /^store_records$/,
  /recordpage/,
  // What the module of texts calls.
  /^store_documents$/,
  /^search_among$/,
]

/**
 * The functions through which the first part gets to the rest. They are called only with a filter that is not empty, or
 * by an update. Each is marked `inline(never)`, for a function within another one cannot be moved.
 */
const DOORS = [
  /^<nidus_wasm::search::filter::Filter>::decode_expression$/,
  /^<nidus_wasm::search::filter::Filter>::measure$/,
  /^<nidus_wasm::search::filter::Filter>::work_of_parts$/,
  /^<nidus_wasm::search::filter::Filter>::matches_parts$/,
  /^<nidus_wasm::search::filter::Filter>::keys_of_parts$/,
  /^<nidus_wasm::search::filter::Filter as core::cmp::PartialEq>::eq$/,
  /^<nidus_wasm::search::columns::Columns>::matches$/,
  /^<nidus_wasm::store::Store>::stage_update$/,
  // Called only after `store_documents`, which is in the rest.
  /^<nidus_wasm::attrs::Packed>::has_texts_of$/,
]

/** The name under which the rest imports from the first part. The glue knows it, too. */
export const FIRST = 'b'
/** The names that the parts have for each other begin with this. */
export const SHARED = '~'
/**
 * Both parts have an export with this name, the variant and a hash. So src/ts/core/rest.ts knows whether there is a
 * rest, which of the files it is, and whether it is of the same build.
 */
export const MARK = `${SHARED}rest `

const NAME = String.raw`(\$"(?:[^"\\]|\\.)*"|\$[^\s()]+)`
const pattern = (text, flags) =>
  new RegExp(
    text.replace('NAME', () => NAME),
    flags,
  )
const FUNCTION = pattern(String.raw`^ \(func NAME([^\n]*)`)
const FUNCTION_EXPORT = pattern(String.raw`^ \(export "([^"]+)" \(func NAME\)\)`)
const GLOBAL = pattern(String.raw`^ \(global NAME (\(mut \w+\)|\w+)`)
const TABLE = pattern(String.raw`^ \(table NAME (\d+)( \d+)? (\w+)\)`)
const MEMORY = pattern(String.raw`^ \(memory NAME (\d+)`)
const ELEMENTS = /^ \(elem \S+ (?:\(table \S+\) )?\(i32\.const (\d+)\) (?:func )?(.*)\)$/
const CALL = pattern(String.raw`\((?:call|return_call|ref\.func) NAME`, 'g')

/** Returns { first, rest }, the bytes of the two parts of a module that has the names of its functions. */
export async function split(bytes, variant) {
  const { default: binaryen } = await import('binaryen')
  const mark = `${MARK}${variant} ${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}`
  const whole = binaryen.readBinary(new Uint8Array(bytes))
  const features = whole.getFeatures()
  const { first, rest } = splitText(whole.emitText(), mark)
  whole.dispose()
  const assembled = (text) => {
    const module = binaryen.parseText(text)
    module.setFeatures(features)
    const bytes = module.emitBinary()
    module.dispose()
    return bytes
  }
  return { first: assembled(first), rest: assembled(rest) }
}

function splitText(text, mark) {
  const items = itemsOf(text)
  const of = (form) => items.map((item) => form.exec(item)).filter(Boolean)
  const functions = new Map(of(FUNCTION).map(({ 1: name, 2: type, input }) => [name, { type, text: input }]))
  const exported = of(FUNCTION_EXPORT).map(([, as, name]) => ({ as, name }))
  const elements = of(ELEMENTS)
  if (elements.length !== 1) throw new Trouble(`the wasm has ${elements.length} lists of elements; split.mjs expects 1`)
  const [[, begin, listed]] = elements
  const inTable = [...listed.matchAll(new RegExp(NAME, 'g'))].map(([name]) => name)

  const calls = new Map(
    [...functions].map(([name, { text }]) => [
      name,
      [...text.matchAll(CALL)].map(([, called]) => called).filter((called) => functions.has(called)),
    ]),
  )
  const reached = (roots, not = new Set()) => {
    const found = new Set()
    for (const left = [...roots]; left.length > 0;) {
      const name = left.pop()
      if (found.has(name) || not.has(name) || !functions.has(name)) continue
      found.add(name)
      left.push(...calls.get(name))
    }
    return found
  }
  const isRare = ({ as }) => EXPORTS.some((form) => form.test(as))
  const doors = new Set([...functions.keys()].filter((name) => DOORS.some((form) => form.test(plain(name)))))
  const common = exported.filter((one) => !isRare(one)).map(({ name }) => name)
  const first = reached([...common, ...inTable], doors)
  const rest = reached([...exported.filter(isRare).map(({ name }) => name), ...doors])
  for (const name of first) rest.delete(name)
  for (const form of [...EXPORTS, ...DOORS]) {
    const names = DOORS.includes(form) ? [...doors].map(plain) : exported.map(({ as }) => as)
    if (!names.some((name) => form.test(name)))
      throw new Trouble(`split.mjs names ${form}, which the wasm does not have`)
  }

  // The first part calls a door through the table, in which the rest puts it.
  const used = [...doors].filter((door) => [...first].some((name) => calls.get(name).includes(door)))
  const place = Number(begin) + inTable.length
  const shared = [...new Set([...rest].flatMap((name) => calls.get(name)))].filter((name) => !rest.has(name))
  const globals = of(GLOBAL)
  const [memory, ...others] = of(MEMORY)
  const tables = of(TABLE)
  const table = tables.find(([, , , , type]) => type === 'funcref')
  const references = tables.find((one) => one !== table)
  if (!memory || others.length > 0 || !table || !references || tables.length !== 2)
    throw new Trouble('split.mjs expects one memory and two tables')

  const stubOf = (name) => {
    const { params, results } = typeOf(functions.get(name).type)
    const args = params.map((_, i) => `(local.get ${i})`).join(' ')
    const type = typeText(params, results)
    const index = ` (i32.const ${place + used.indexOf(name)})`
    return ` (func ${name}${type}\n  (call_indirect ${table[1]}${type} ${args}${index}))`
  }
  const textOfFirst = items.map((item) => {
    const [, name] = FUNCTION.exec(item) ?? []
    if (name) return first.has(name) ? item : used.includes(name) ? stubOf(name) : ''
    if (FUNCTION_EXPORT.test(item) && functions.has(FUNCTION_EXPORT.exec(item)[2]))
      return first.has(FUNCTION_EXPORT.exec(item)[2]) ? item : ''
    if (item === table.input) return ` (table ${table[1]} ${place + used.length} ${place + used.length} funcref)`
    return item
  })
  const textOfRest = [
    ...items.filter((item) => /^ \((type|import) /.test(item)),
    ` (import "${FIRST}" "${SHARED}m" (memory ${memory[1]} ${memory[2]}))`,
    ` (import "${FIRST}" "${SHARED}t" (table ${table[1]} ${place + used.length} funcref))`,
    ` (import "${FIRST}" "${SHARED}r" (table ${references[1]} ${references[2]} externref))`,
    ...globals.map(([, name, type], i) => ` (import "${FIRST}" "${SHARED}g${i}" (global ${name} ${type}))`),
    ...shared.map((name, i) => {
      const { params, results } = typeOf(functions.get(name).type)
      return ` (import "${FIRST}" "${SHARED}${i}" (func ${name}${typeText(params, results)}))`
    }),
    ` (elem (table ${table[1]}) (i32.const ${place}) func ${used.join(' ')})`,
    ...exported.filter(({ name }) => rest.has(name)).map(({ as, name }) => ` (export "${as}" (func ${name}))`),
    ` (export "${mark}" (memory ${memory[1]}))`,
    ...[...rest].map((name) => functions.get(name).text),
  ]
  const module = (items) => `(module\n${items.filter(Boolean).join('\n')}\n)\n`
  return {
    first: module([
      ...textOfFirst,
      ` (export "${SHARED}m" (memory ${memory[1]}))`,
      ` (export "${SHARED}t" (table ${table[1]}))`,
      ` (export "${SHARED}r" (table ${references[1]}))`,
      ...globals.map(([, name], i) => ` (export "${SHARED}g${i}" (global ${name}))`),
      ...shared.map((name, i) => ` (export "${SHARED}${i}" (func ${name}))`),
      ` (export "${mark}" (memory ${memory[1]}))`,
    ]),
    rest: module(textOfRest),
  }
}

/** Returns the parts of a module's text: types, imports, functions and so on. Each begins with one space. */
function itemsOf(text) {
  const items = []
  for (const line of text.split('\n').slice(1)) {
    if (line.startsWith(' (')) items.push(line)
    else if (line.startsWith(' ')) items.push(`${items.pop()}\n${line}`)
  }
  return items
}

/** Returns the name of a function in Rust: without quotes, and without the hashes of crates. */
const plain = (name) =>
  name
    .replace(/^\$"?|"$/g, '')
    .replace(/\[[0-9a-f]{16}\]/g, '')
    .replaceAll('\\', '')

function typeOf(head) {
  const types = (form) => [...head.matchAll(form)].flatMap(([, types]) => types.trim().split(' '))
  return { params: types(/\(param (?:\$\S+ )?([^)]*)\)/g), results: types(/\(result ([^)]*)\)/g) }
}
const typeText = (params, results) =>
  (params.length ? ` (param ${params.join(' ')})` : '') + (results.length ? ` (result ${results.join(' ')})` : '')
