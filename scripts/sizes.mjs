// What dist/ weighs, and whether a page's share of it keeps to its budget.
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { say, Trouble } from './lib.mjs'

/** gzip bytes of everything that a page downloads: wasm, JavaScript, worker. */
const BUDGET = 124 * 1024

/** Those that open, insert and search with the wasm that does no more. */
const PAGES = new Set(['a page (store in the worker)', 'a page (a host of its own)', './slim'])

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(11)
const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length
const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length

/** Nothing is missing or wrong but the weight: the tests can still run. */
export class TooLarge extends Trouble {}

/** Prints a table of all files, then the sum for each kind of page, its wasm included; refuses more than the budget. Only a compiler that compiles std along
 * can keep to it: a precompiled std makes some 7 KB more. */
export function reportSizes(files, pages, { released }) {
  const line = (name, sizes) => say(`  ${name.padEnd(30)}${sizes.join('')}`)
  const sizes = new Map([...files].map(([name, bytes]) => [name, [bytes.length, gzip(bytes), brotli(bytes)]]))
  line('dist/', ['raw', 'gzip', 'brotli'].map((title) => title.padStart(11)))
  for (const name of [...files.keys()].sort()) line(name, sizes.get(name).map(kilobytes))
  // It loads one of the two.
  const larger = (...names) => names.reduce((a, b) => (sizes.get(a)[1] > sizes.get(b)[1] ? a : b))
  const [whole, page] = [larger('nidus.wasm', 'nidus-relaxed.wasm'), larger('nidus-page.wasm', 'nidus-page-relaxed.wasm')]
  const totals = Object.entries(pages).map(([title, names]) => {
    // One has the wasm in itself.
    const own = names.includes('inline.js') ? [] : [PAGES.has(title) ? page : whole]
    const sums = [...new Set([...names, ...own])].reduce((sums, name) => sums.map((sum, i) => sum + sizes.get(name)[i]), [0, 0, 0])
    line(title, sums.map(kilobytes))
    return { title, bytes: sums[1] }
  })
  // The others are files on a disk, or what somebody chose to have in one.
  const over = totals.slice(0, 4).find(({ bytes }) => bytes > BUDGET)
  if (over && !released) say(`${over.title} downloads more than the budget of ${kilobytes(BUDGET).trim()} (gzip): this compiler's std is precompiled, the released one's is not.`)
  else if (over) throw new TooLarge(`${over.title} downloads ${kilobytes(over.bytes).trim()} (gzip); the budget is ${kilobytes(BUDGET).trim()}.`)
}
