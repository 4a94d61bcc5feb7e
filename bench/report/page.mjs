// Writes the page of results: all tables and charts, as Markdown.
import { DIRECTIONS, PARTS as PARTS_OF_NEAREST } from '../cases/mixture.mjs'
import { mixtureTables, realPart } from './real.mjs'
import {
  downloadTable,
  durableTable,
  filterTable,
  growthTable,
  memoryTable,
  millionTable,
  openTable,
  peerTable,
  searchTable,
} from './tables.mjs'
import { filterText, machineText, number, RUNTIMES, wrap } from './text.mjs'

const searchPart = ({ run, results }) => [
  '## Searches',
  `Each table has one runtime, one input and one number of rows. Times are medians of ${run.rounds} rounds, in which ` +
    'the peers take turns. "Of the wall" is the time beside that of the memory wall. The filter keeps a tenth of the ' +
    'rows. "First search" is the first one after the insert. "Memory" does not count the input: in Node it is wasm ' +
    'and heap after a collection (for native nidus the whole process), in Chromium wasm alone.',
  ...results.flatMap((table) =>
    table.failed
      ? [`### ${RUNTIMES[table.runtime]}`, `not measured: ${table.failed}`]
      : [`### ${RUNTIMES[table.runtime]}, ${number(table.size)} rows, ${table.title}`, searchTable(table)],
  ),
]

const memoryPart = ({ results }) => [
  '## Memory and workers',
  'One store, opened in three ways and searched in turns. With two workers, "wasm memory" is that of the store ' +
    'alone, without the copies of the second worker. In Node one wasm holds all three stores, so the table has no ' +
    'figure.',
  memoryTable(results),
]

const filtersPart = ({ results }) => [
  '## Filters',
  'Each figure is the time of a search with a filter, over the time of the same search without one. The filters are ' +
    "a string's equality, a range, a list and a glob. They differ in how many rows match, and in which rows match: " +
    'any rows, the nearest to the query, or the farthest. The first use of a filter has a column of its own.',
  ...results.flatMap((grid) => [
    `### ${RUNTIMES[grid.runtime]}, ${number(grid.size)} rows, ${grid.title}`,
    `All cells: ${filterText(grid)}.`,
    filterTable(grid),
  ]),
]

const durablePart = ({ results }) => [
  '## Durable inserts and openings',
  'Batches of 1,000 rows; each is acknowledged before the next one begins. "Written directly": the same bytes, ' +
    'written to two files with two flushes for each batch. "Reading both files" reads into one buffer again and ' +
    'again, "into new memory" reads into memory that is as long as the files. Opening in OPFS starts the worker of ' +
    'the package, which compiles the wasm. "Codes ready after": when searches after the opening get no faster.',
  durableTable(results),
]

const growthPart = ({ results }) => [
  '## A store that grows',
  'One store in memory, measured at some sizes when all codes are made. An append is a batch of 1,000 rows; the figure ' +
    'is the median of those since the size before. Rows after the real ones are mixed from them.',
  growthTable(results),
]

const openPart = ({ results }) => [
  '## Openings',
  'A store is opened again and again, in turns with reads of files of the same lengths into new memory.',
  openTable(results),
]

const millionPart = ({ results }, guide) => [
  '## A million rows',
  'Two stores in compact memory answer the same questions in turns, and every answer was compared with a scan in f64. ' +
    `[How mixed rows are made](${guide}#mixed-rows).`,
  millionTable(results),
  ...results
    .filter(({ mixture }) => mixture)
    .slice(0, 1)
    .flatMap(({ mixture }) => mixtureTables(mixture, DIRECTIONS, PARTS_OF_NEAREST)),
]

const downloadPart = ({ results }) => [
  '## Downloads',
  'For nidus-wasm: all files of the package that a real page fetched to open a store in OPFS, insert ' +
    '1,000 rows and search them. From 1,024 rows on, it also fetches the part that makes codes. Other ' +
    'packages are bundled and minified by esbuild, and the files that they load at run time are added.',
  downloadTable(results),
]

const PARTS = {
  search: searchPart,
  real: realPart,
  growth: growthPart,
  open: openPart,
  memory: memoryPart,
  filters: filtersPart,
  durable: durablePart,
  million: millionPart,
  download: downloadPart,
}

/** Returns the HTML of a chart, for light and for dark mode. */
const picture = ({ title, files: [light, dark] }) =>
  [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${dark.file}">`,
    `  <img alt="${title}" src="${light.file}">`,
    '</picture>',
  ].join('\n')

/**
 * Returns the page. `results`: { NAME: { run, results } }, one or more. `figures`: [{ title, files }]. `guide`: the
 * path of bench/README.md.
 */
export function pageOf(results, figures, guide) {
  const given = Object.entries(results).filter(([name]) => PARTS[name])
  const runs = [...new Set(Object.values(results).map(({ run }) => machineText(run)))]
  const parts = [
    '# Results',
    'This page is made from the JSON files in this folder by `npm run bench`, and by `node bench/report/report.mjs` ' +
      'without a new measurement. [How it is measured, and the limits](' +
      `${guide}).`,
    'Rows have 384 numbers and unit length. Searches ask for the best 10 rows, in one thread unless a table says ' +
      'otherwise. The memory wall is one read of all f32 in a wasm memory. Recall is against a scan in f64.',
    runs.length === 1 ? `Machine: ${runs[0]}.` : 'The files are of different runs; each part names its own.',
    ...figures.map(picture),
  ]
  for (const [name, file] of given) {
    const [heading, ...rest] = PARTS[name](file, guide)
    parts.push(heading, ...(runs.length > 1 ? [`Machine: ${machineText(file.run)}.`] : []), ...rest)
  }
  if (results.search) {
    const { run, results: tables } = results.search
    parts.push('## Peers', peerTable(tables, run.peers))
  }
  return `${parts.map((part) => (/^[<|#]/.test(part) ? part : wrap(part))).join('\n\n')}\n`
}
