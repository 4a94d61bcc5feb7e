// Splits a module in three: what every page needs, and two parts that a page loads when it first needs them. All use
// one memory, one table and the same globals. The first part exports them and the functions that the others call.
import { createHash } from 'node:crypto'
import { Trouble } from './lib.mjs'

/**
 * The parts beside the first one. Only they have these exports, and src/ts loads a part before they are called. `doors`
 * are the functions through which the first part gets to a part. Each is marked `inline(never)`, for a function within
 * another one cannot be moved.
 */
const PARTS = {
  /** src/ts/engine/door.ts loads it. The doors are called only with a filter that is not empty, or by an update. */
  rest: {
    exports: [
      // Compaction.
      /^store_(begin|finish|abandon|adopt)Compaction$/,
      /^store_(compactStep|adoptStep)$/,
      // Filters that are evaluated in slices, deletions by a filter, metadata, and collections that are dropped.
      /matching/,
      /^store_stageDeleteWhere$/,
      /^store_stageSetMeta$/,
      /^store_stageDrop$/,
      // Pages of records.
      /^store_records$/,
      /recordpage/,
      // What the module of texts calls.
      /^store_documents$/,
      /^search_among$/,
    ],
    doors: [
      /^<nidus_wasm::search::filter::Filter>::decode_expression$/,
      /^<nidus_wasm::search::filter::Filter>::measure$/,
      /^<nidus_wasm::search::filter::Filter>::work_of_parts$/,
      /^<nidus_wasm::search::filter::Filter>::matches_parts$/,
      /^<nidus_wasm::search::filter::Filter>::keys_of_parts$/,
      /^<nidus_wasm::search::filter::Filter as core::cmp::PartialEq>::eq$/,
      /^<nidus_wasm::search::columns::Columns>::matches$/,
      /^<nidus_wasm::store::Store>::stage_update$/,
      // Called only after `store_documents`, which is in this part.
      /^<nidus_wasm::attrs::Packed>::has_texts_of$/,
    ],
  },
  /**
   * Makes and reads the codes of rows. src/ts/engine/coder.ts loads it, and so do openings with compact memory. A store
   * has no codes before, and the doors are called only where there are some, or to make them with compact memory.
   */
  codes: {
    exports: [/^store_codeStep$/, /^opening_(wantsSample|dimension|sample)$/, /^rows_(wanted|supply)$/],
    doors: [
      /^<nidus_wasm::search::codes::Codes>::(prime|catch_up)$/,
      /^<nidus_wasm::search::cascade::Among>::(bound|look_closer)$/,
    ],
  },
}

/** The names of all parts. */
export const PART_NAMES = ['first', ...Object.keys(PARTS)]

/** The name under which the other parts import from the first one. The glue knows it, too. */
export const FIRST = 'b'
/** The names that the parts have for each other begin with this. */
export const SHARED = '~'
/**
 * All parts have an export with this name, the variant and a hash. So src/ts/core/parts.ts knows whether a module is a
 * first part, and whether another part is of the same build.
 */
export const MARK = `${SHARED}part `

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

/** Returns { first, rest, codes }, the bytes of the parts of a module that has the names of its functions. */
export async function split(bytes, variant) {
  const { default: binaryen } = await import('binaryen')
  const mark = `${MARK}${variant} ${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}`
  const whole = binaryen.readBinary(new Uint8Array(bytes))
  const features = whole.getFeatures()
  const parts = splitText(whole.emitText(), mark)
  whole.dispose()
  const assembled = (text) => {
    const module = binaryen.parseText(text)
    module.setFeatures(features)
    const bytes = module.emitBinary()
    module.dispose()
    return bytes
  }
  return Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, assembled(text)]))
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
  const parts = Object.entries(PARTS).map(([name, part]) => ({
    name,
    exports: exported.filter(({ as }) => part.exports.some((form) => form.test(as))),
    doors: [...functions.keys()].filter((name) => part.doors.some((form) => form.test(plain(name)))),
  }))
  for (const form of Object.values(PARTS).flatMap(({ exports, doors }) => [...exports, ...doors])) {
    if (
      ![...functions.keys()]
        .map(plain)
        .concat(exported.map(({ as }) => as))
        .some((name) => form.test(name))
    )
      throw new Trouble(`split.mjs names ${form}, which the wasm does not have`)
  }
  const doors = new Set(parts.flatMap(({ doors }) => doors))
  const rare = new Set(parts.flatMap(({ exports }) => exports))
  const common = exported.filter((one) => !rare.has(one)).map(({ name }) => name)
  const first = reached([...common, ...inTable], doors)
  for (const part of parts) {
    const own = [...part.exports.map(({ name }) => name), ...part.doors]
    part.functions = reached(own, new Set([...doors].filter((door) => !own.includes(door))))
  }
  // What two parts need is in the first one.
  for (const name of functions.keys()) {
    if (parts.filter((part) => part.functions.has(name)).length > 1) first.add(name)
  }
  for (const part of parts) for (const name of first) part.functions.delete(name)

  // A door of another part is called through the table, in which that part puts it.
  const isCalled = (door) =>
    [first, ...parts.map((part) => part.functions)].some(
      (functions) => !functions.has(door) && [...functions].some((name) => calls.get(name).includes(door)),
    )
  for (const part of parts) part.doors = part.doors.filter(isCalled)
  const used = parts.flatMap((part) => part.doors)
  const place = Number(begin) + inTable.length
  const shared = [
    ...new Set(
      parts.flatMap((part) =>
        [...part.functions].flatMap((name) => calls.get(name)).filter((name) => !part.functions.has(name)),
      ),
    ),
  ]
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
  const textOf = (part) => [
    ...items.filter((item) => /^ \((type|import) /.test(item)),
    ` (import "${FIRST}" "${SHARED}m" (memory ${memory[1]} ${memory[2]}))`,
    ` (import "${FIRST}" "${SHARED}t" (table ${table[1]} ${place + used.length} funcref))`,
    ` (import "${FIRST}" "${SHARED}r" (table ${references[1]} ${references[2]} externref))`,
    ...globals.map(([, name, type], i) => ` (import "${FIRST}" "${SHARED}g${i}" (global ${name} ${type}))`),
    ...shared.map((name, i) => {
      if (part.functions.has(name)) return ''
      const { params, results } = typeOf(functions.get(name).type)
      return ` (import "${FIRST}" "${SHARED}${i}" (func ${name}${typeText(params, results)}))`
    }),
    ` (elem (table ${table[1]}) (i32.const ${place + used.indexOf(part.doors[0])}) func ${part.doors.join(' ')})`,
    ...part.exports.map(({ as, name }) => ` (export "${as}" (func ${name}))`),
    ` (export "${mark}" (memory ${memory[1]}))`,
    ...[...part.functions].map((name) => functions.get(name).text),
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
    ...Object.fromEntries(parts.map((part) => [part.name, module(textOf(part))])),
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
