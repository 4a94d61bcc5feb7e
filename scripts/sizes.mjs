// Prints the sizes of dist/, and checks that a page does not download more than its budget.
import { readFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { at, say, Trouble } from './lib.mjs'

/**
 * The budgets in bytes of gzip for everything that a page downloads: wasm, JavaScript, worker. `ordinary` is for a page
 * that opens, writes and searches, `complete` for one whose wasm comes in one piece.
 */
const BUDGETS = { ordinary: 106 * 1024, complete: 136 * 1024 }

/** What a page downloads in addition for filters, updates, lists and compaction. */
const REST = ['nidus-rest-relaxed.wasm']
/** What it downloads in addition once a store has enough rows for codes. */
const CODES = ['nidus-codes-relaxed.wasm']
/** What it downloads for searches by words, in addition to both. */
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
  const modules = {
    first: [larger('nidus-first.wasm', 'nidus-first-relaxed.wasm')],
    page: ['nidus-page.wasm'],
    whole: [larger('nidus.wasm', 'nidus-relaxed.wasm')],
    none: [],
  }
  const totals = pages.map(({ title, names, wasm, budget }) => {
    const sums = [...new Set([...names, ...modules[wasm]])].reduce(
      (sums, name) => sums.map((sum, i) => sum + sizes.get(name)[i]),
      [0, 0, 0],
    )
    line(title, sums.map(kilobytes))
    return { title, bytes: sums[1], budget }
  })
  const over = totals.find(({ bytes, budget }) => budget && bytes > BUDGETS[budget])
  if (over) {
    const most = kilobytes(BUDGETS[over.budget]).trim()
    if (released)
      throw new TooLarge(`${over.title} downloads ${kilobytes(over.bytes).trim()} (gzip); the budget is ${most}.`)
    say(
      `${over.title} downloads more than the budget of ${most} (gzip): this compiler's std is precompiled, the ` +
        `released one's is not.`,
    )
  }
  if (released)
    checkReadme([totals[0].bytes, ...[REST, CODES, WORDS].map((names) => sum(names.map((name) => sizes.get(name)[1])))])
}

const sum = (numbers) => numbers.reduce((sum, number) => sum + number, 0)

/** Throws TooLarge if README.md tells other sizes: of a page, and of what it downloads later. */
function checkReadme(sizes) {
  const told = /downloads (\d+) KB \(gzip\), (\d+) KB more [^.]*, (\d+) KB more [^.]*, and (\d+) KB more/.exec(
    readFileSync(at('README.md'), 'utf8').replace(/\s+/g, ' '),
  )
  if (!sizes.every((bytes, i) => Math.abs(Number(told?.[i + 1]) - bytes / 1024) <= 1))
    throw new TooLarge(
      `README.md says that a page downloads ${told?.[0]}, and it is ${sizes.map((bytes) => kilobytes(bytes).trim())}.`,
    )
}
