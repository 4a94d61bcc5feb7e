// What dist/ weighs, and whether a page's share of it keeps to its budget.
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { say, Trouble } from './lib.mjs'

/** gzip bytes of everything that a page downloads: wasm, JavaScript, worker. */
const BUDGET = 100 * 1024

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(11)
const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length
const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length

/** Nothing is missing or wrong but the weight: the tests can still run. */
export class TooLarge extends Trouble {}

/** Prints a table of all files, then the sum over those a page downloads; refuses more than the budget. */
export function reportSizes(files, page) {
  const line = (name, ...sizes) => say(`  ${name.padEnd(24)}${sizes.join('')}`)
  line('dist/', ...['raw', 'gzip', 'brotli'].map((title) => title.padStart(11)))
  const sums = [0, 0, 0]
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sizes = [bytes.length, gzip(bytes), brotli(bytes)]
    line(name, ...sizes.map(kilobytes))
    if (page.includes(name)) sizes.forEach((size, i) => (sums[i] += size))
  }
  line('all that a page fetches', ...sums.map(kilobytes))
  if (sums[1] > BUDGET) throw new TooLarge(`A page downloads ${kilobytes(sums[1]).trim()} (gzip); the budget is ${kilobytes(BUDGET).trim()}.`)
}
