// Prints the sizes of dist/, and checks that a page does not download more than its budget.
import { readFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { at, say, Trouble } from './lib.mjs'

/**
 * The budget in bytes of gzip for everything that a page downloads: wasm, JavaScript, worker. It was 125 KB before
 * updates, operators on texts, lists, changes and words came, and should be that again.
 */
const BUDGET = 135 * 1024

/** What a page downloads in addition for searches by words. */
const WORDS = ['text.js', 'question.js', 'nidus-text.wasm']

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

  if (released) {
    const [, page, words] =
      /downloads (\d+) KB \(gzip\), and (\d+) KB more/.exec(readFileSync(at('README.md'), 'utf8')) ?? []
    const more = WORDS.reduce((sum, name) => sum + sizes.get(name)[1], 0)
    const [first] = totals
    if (![Number(page) - first.bytes / 1024, Number(words) - more / 1024].every((off) => Math.abs(off) <= 1))
      throw new TooLarge(
        `README.md says that ${first.title} downloads ${page} KB and ${words} KB more for words, and they are ` +
          `${kilobytes(first.bytes).trim()} and ${kilobytes(more).trim()}.`,
      )
  }
}
