// Prints the sizes of dist/, and checks that a page does not download more than its budget.
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { say, Trouble } from './lib.mjs'

/**
 * The budget in bytes of gzip for everything that a page downloads: wasm, JavaScript, worker. It was 125 KB before
 * updates, operators on texts, lists, changes and words came, and should be that again.
 */
const BUDGET = 135 * 1024

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`.padStart(11)
const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length
const brotli = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length

/** The error of a page that is too large. Everything else is right, so the tests can still run. */
export class TooLarge extends Trouble {}

/**
 * Prints a table of all files, and the sum for each kind of page with its wasm. Throws TooLarge if a page is larger
 * than the budget. With a precompiled std the wasm is about 7 KB larger, so then this only prints a line.
 */
export function reportSizes(files, pages, { released }) {
  const line = (name, sizes) => say(`  ${name.padEnd(30)}${sizes.join('')}`)
  const sizes = new Map([...files].map(([name, bytes]) => [name, [bytes.length, gzip(bytes), brotli(bytes)]]))
  line(
    'dist/',
    ['raw', 'gzip', 'brotli'].map((title) => title.padStart(11)),
  )
  for (const name of [...files.keys()].sort()) line(name, sizes.get(name).map(kilobytes))
  // A page loads either the plain or the relaxed module, so the larger one counts.
  const larger = (...names) => names.reduce((a, b) => (sizes.get(a)[1] > sizes.get(b)[1] ? a : b))
  const [whole, page] = [
    larger('nidus.wasm', 'nidus-relaxed.wasm'),
    larger('nidus-page.wasm', 'nidus-page-relaxed.wasm'),
  ]
  const modules = { page: [page], whole: [whole], none: [] }
  const totals = pages.map(({ title, names, wasm, budget }) => {
    const sums = [...new Set([...names, ...modules[wasm]])].reduce(
      (sums, name) => sums.map((sum, i) => sum + sizes.get(name)[i]),
      [0, 0, 0],
    )
    line(title, sums.map(kilobytes))
    return { title, bytes: sums[1], budget }
  })
  const over = totals.find(({ bytes, budget }) => budget && bytes > BUDGET)
  if (over && !released)
    say(
      `${over.title} downloads more than the budget of ${kilobytes(BUDGET).trim()} (gzip): this compiler's std is ` +
        `precompiled, the released one's is not.`,
    )
  else if (over)
    throw new TooLarge(
      `${over.title} downloads ${kilobytes(over.bytes).trim()} (gzip); the budget is ${kilobytes(BUDGET).trim()}.`,
    )
}
