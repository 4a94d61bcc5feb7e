// Writes the results: results.json (all of it), results.md, the plots, and on demand the section of the README.
import { rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { at, filesUnder, say, writeBetween, writeFile } from '../../scripts/lib.mjs'
import {
  downloadTable,
  durableTable,
  engineTable,
  filterTable,
  filterText,
  machineText,
  millionTable,
  modesTable,
  number,
  searchTable,
  shortTable,
} from './table.mjs'

const RUNTIMES = { node: 'Node', chromium: 'Chromium' }
/** Rounds figures to as many digits as are meaningful. */
const rounded = (_, value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value

const note = ({ search, recall, wall }) =>
  `${search.p50 < 10 ? search.p50.toFixed(2) : search.p50.toFixed(0)} ms${!wall && recall < 0.9995 ? `, recall ${recall.toFixed(2)}` : ''}`

/** [{ file, title, svg }] */
function plots({ tables, curves }, { bars, lines }) {
  const found = []
  const whole = tables.filter(({ rows }) => rows.length)
  for (const table of whole.filter(
    (table) =>
      !whole.some((other) => other.runtime === table.runtime && other.input === table.input && other.size > table.size),
  )) {
    const title = `Search of ${number(table.size)} x 384, ${table.input}, ${RUNTIMES[table.runtime]}: median, top 10`
    const given = table.rows
      .filter(({ search }) => search)
      .map((row) => ({ name: row.label, value: row.search.p50, ours: row.ours, wall: row.wall, note: note(row) }))
    found.push({
      file: `engines-${table.runtime}-${table.input}.svg`,
      title,
      svg: bars({ title, x: 'milliseconds', bars: given }),
    })
  }
  for (const { runtime, input, points, appends } of curves) {
    const of = (id) =>
      whole
        .filter((table) => table.runtime === runtime && table.input === input)
        .flatMap(({ size, rows }) =>
          rows
            .filter((row) => row.id === id && row.search)
            .slice(0, 1)
            .map((row) => [size, row.search.p50]),
        )
    const others = [
      ['wall', 'memory wall'],
      ['native', 'nidus 0.3.0, native'],
      ['hnswlib-brute', 'hnswlib-wasm, brute force'],
      ['loop', 'plain loop'],
    ]
    const series = [
      { name: 'nidus-wasm', points: points.map(({ rows, p50 }) => [rows, p50]) },
      ...others
        .map(([id, name]) => ({ name, points: of(id), dashed: false }))
        .filter(({ points }) => points.length > 1),
    ]
    const search = `Search time over rows, ${input}, ${RUNTIMES[runtime]}`
    found.push({
      file: `search-over-rows-${runtime}.svg`,
      title: search,
      svg: lines({ title: search, x: 'rows', y: 'milliseconds (median)', series }),
    })
    const append = `Time of an append of 1,000 rows over the size of the store, ${RUNTIMES[runtime]}`
    found.push({
      file: `append-over-rows-${runtime}.svg`,
      title: append,
      svg: lines({
        title: append,
        x: 'rows in the store',
        y: 'milliseconds',
        series: [{ name: 'in memory', points: appends }],
        scatter: true,
      }),
    })
  }
  return found
}

/** Plots durable appends over the size of the store, from the durable inserts. */
function durablePlots(durable, { lines }) {
  const biggest = durable.filter(
    (one) => !durable.some((other) => other.runtime === one.runtime && other.size > one.size),
  )
  if (biggest.length === 0) return []
  const title = 'Time of a durable append of 1,000 rows over the size of the store'
  const series = biggest.map(({ storage, ours }) => ({ name: storage, points: ours.batches }))
  return [
    {
      file: 'durable-append-over-rows.svg',
      title,
      svg: lines({ title, x: 'rows in the store', y: 'milliseconds', series, scatter: true }),
    },
  ]
}

function whole(results, images) {
  const { tables, durable, modes, filters, millions, downloads, machine } = results
  const parts = [
    '# nidus-wasm beside others',
    `Written by \`npm run bench\`. ${machineText(machine)}. Top 10 of rows of unit length, 384 numbers each; one thread; milliseconds; medians of ${machine.rounds} rounds in which the engines take turns, each warmed up by 15 queries. ` +
      'The wall is one read of all f32 in a wasm memory. Recall is against a scan in f64. The filter keeps a tenth of the rows. Answers of ours that are not exact end the bench. ' +
      'Memory is without the input: in Node wasm and heap after a collection (of native the whole process), in Chromium wasm alone.',
  ]
  for (const table of tables) {
    if (table.failed) parts.push(`## ${RUNTIMES[table.runtime]}\n\nnot measured: ${table.failed}`)
    else parts.push(`## ${RUNTIMES[table.runtime]}, ${number(table.size)} rows, ${table.title}`, searchTable(table))
  }
  if (durable.length)
    parts.push(
      '## Durable',
      "Batches of 1,000 rows, each acknowledged before the next. Written straight: the same bytes to two files, two flushes a batch. Opening in OPFS starts the package's worker, which compiles the wasm. Settled: when searches after the open get no faster any more.",
      durableTable(durable),
    )
  if (modes.length)
    parts.push(
      '## Memory and workers',
      'The same store, opened in three ways; searches in turns. With two workers the memory is that of the store alone, without the copies of the second; in Node one wasm holds all three stores, so it tells of none.',
      modesTable(modes),
    )
  for (const grid of filters) {
    parts.push(
      `## Filters, ${number(grid.size)} rows, ${grid.input}`,
      `Searches with a filter over the same without: a string's equality, a range, a list and a glob, by how many rows match, and whether these are any rows, the nearest to the query, or the farthest. ${filterText(grid)}. The first use of a filter stands apart.`,
      filterTable(grid),
    )
  }
  if (millions.length) parts.push('## A million rows', millionTable(millions))
  if (downloads.length)
    parts.push(
      '## Download',
      'Of ours all that a real page fetched from the package to open a store in OPFS and search it; peers bundled and minified by esbuild, with the files they load at run time.',
      downloadTable(downloads),
    )
  parts.push(
    '## Engines',
    engineTable(tables, machine.peers),
    '## Plots',
    ...images.map(({ file, title }) => `![${title}](${file})`),
  )
  return `${parts.join('\n\n')}\n`
}

function readmeSection(results, images, out) {
  const { tables, durable, downloads, machine, modes, filters, millions } = results
  const shown = tables.filter(
    (table) =>
      !table.failed &&
      !tables.some(
        (other) => other.runtime === table.runtime && other.input === table.input && other.size > table.size,
      ),
  )
  const where = relative(at(), out).replaceAll('\\', '/')
  const parts = [
    `\`npm run bench\` on ${machineText(machine)}. Rows of 384 numbers, top 10, one thread, medians; the memory wall is one read of all f32 in a wasm memory; recall is against a scan in f64. [All tables](${where}/results.md).`,
  ]
  for (const table of shown.filter(({ input }) => input !== 'clustered'))
    parts.push(`**${RUNTIMES[table.runtime]}, ${number(table.size)} rows, ${table.title}**`, shortTable(table))
  if (durable.length)
    parts.push(
      '**Durable inserts** (batches of 1,000 rows) beside the same bytes written straight to two files with two flushes a batch, and opening beside reading them:',
      durableTable(durable),
    )
  if (modes.length)
    parts.push(
      '**Compact memory, two workers, and `searchMany`**, beside full memory and one thread:',
      modesTable(modes),
    )
  if (filters.length)
    parts.push(
      `**Filters**, over the same search without, on a grid of how many rows match, by what operator, and how these lie to the query: ${filters.map((grid) => `${grid.input}: ${filterText(grid)}`).join('; ')}.`,
    )
  if (millions.length) parts.push('**A million rows**', millionTable(millions))
  if (downloads.length) parts.push('**What a page downloads**', downloadTable(downloads))
  for (const { file, title } of images.filter(({ file }) =>
    /^(search-over-rows|append-over-rows-node|durable)/.test(file),
  ))
    parts.push(`![${title}](${where}/${file})`)
  return parts.join('\n\n')
}

/** `readme`: the path of the README, if its section is to be written, too. */
export async function report(results, { out, readme }) {
  // The plotting library is installed with the peers. Without it there are only tables.
  const draw = await import('./plots.mjs').catch((error) => void say(`! no plots: ${error.message.split('\n')[0]}`))
  const images = draw ? [...plots(results, draw), ...durablePlots(results.durable, draw)] : []
  for (const old of filesUnder(out, (path) => path.endsWith('.svg')))
    if (!images.some(({ file }) => file === old)) rmSync(join(out, old))
  for (const { file, svg } of images) writeFile(join(out, file), svg)
  const text = whole(results, images)
  writeFile(join(out, 'results.md'), text)
  writeFile(join(out, 'results.json'), `${JSON.stringify(results, rounded)}\n`)
  if (readme) writeBetween(readme, 'bench', `\n\n${readmeSection(results, images, out)}\n\n`)
  say(`\n${text}`)
  say(`written to ${relative(at(), out) || '.'}/results.md`)
}
