// Writes the section of docs/performance.md: one small table of search times.
import { realSummary } from './real.mjs'
import { inputText, machineText, markdown, ms, number, RUNTIMES, wrap } from './text.mjs'

function cell(row) {
  if (!row) return ''
  if (row.failed) return 'not built'
  const { recall = 1 } = row
  return ms(row.search.p50) + (recall < 0.9995 ? ` (recall ${recall.toFixed(3)})` : '')
}

/** Returns a sentence about how long approximate indexes took to build, and inserts of this package. */
function buildsText(tables) {
  const of = ({ runtime, rows }) => {
    const times = rows
      .filter(({ ours, knob, failed }, n, all) => !failed && (ours || (knob && all[n - 1]?.knob?.name !== knob.name)))
      .map(({ label, knob, build }) => `${knob ? label.replace(/,[^,]*$/, '') : label} ${(build / 1000).toFixed(1)} s`)
    return `in ${RUNTIMES[runtime]}, ${times.join(', ')}`
  }
  return `Inserts took, with the index where there is one: ${tables.map(of).join('; ')}.`
}

/** Returns the section. `link`: the path of the page of results. */
export function docsSection({ search: { run, results }, real }, link) {
  const measured = results.filter(({ rows }) => rows.length)
  const size = Math.max(...measured.map((table) => table.size))
  const tables = measured.filter((table) => table.size === size && table.input !== 'clustered')
  // A peer that is tuned has two rows: with the smallest setting that is good enough, and with one that finds all.
  const goals = ['recall of at least 0.95', 'recall of 1.00, or its best']
  const rowsOf = (table, id) => table.rows.filter((row) => row.id === id)
  const lines = [...new Set(tables.flatMap(({ rows }) => rows.map(({ id }) => id)))].flatMap((id) => {
    const [{ label, ours, knob }] = tables.map((table) => rowsOf(table, id)[0]).filter(Boolean)
    const name = knob ? label.replace(`, ${knob.name} ${knob.value}`, '') : label
    return Array.from({ length: Math.max(...tables.map((table) => rowsOf(table, id).length)) }, (_, n) => [
      ours ? `**${label}**` : knob ? `${name}, ${goals[n]}` : name,
      ...tables.map((table) => cell(rowsOf(table, id)[n] ?? rowsOf(table, id)[0])),
    ])
  })
  const head = tables.map(({ runtime, input }) => `${RUNTIMES[runtime]}, ${inputText(input)}`)
  return [
    `The time of a search for the best 10 of ${number(size)} rows of 384 numbers, in one thread, in milliseconds ` +
      '(median):',
    markdown(['package', ...head], lines),
    'The memory wall is one read of all f32 in a wasm memory. ' +
      (lines.some((line) => line.includes('not built'))
        ? '"Not built": filling it would have taken longer than the time limit. '
        : '') +
      `Recall is 1.000 where a cell does not name it. ${buildsText(tables)} [All tables and charts](${link}).`,
    `${machineText(run)}.`,
    ...(real ? realParts(real, run) : []),
  ]
    .map((part) => (part.startsWith('|') ? part : wrap(part)))
    .join('\n\n')
}

/** Returns the part about real rows. It names its machine only if that is another run. */
const realParts = ({ run, results }, other) => [
  `Each of ${number(results[0].questions)} questions over ${results.at(-1).title}, one after the other, the plain ` +
    'module, when all codes are made:',
  realSummary(results),
  ...(machineText(run) === machineText(other) ? [] : [`${machineText(run)}.`]),
]
