// Writes the section of docs/performance.md: one small table of search times.
import { realSummary } from './real.mjs'
import { inputText, machineText, markdown, ms, number, RUNTIMES, seconds, wrap } from './text.mjs'

function cell(row) {
  if (!row) return ''
  if (row.failed) return 'not built'
  const { recall = 1 } = row
  return ms(row.search.p50) + (recall < 0.9995 ? ` (recall ${recall.toFixed(3)})` : '')
}

const nameOf = ({ label, knob }) => (knob ? label.replace(`, ${knob.name} ${knob.value}`, '') : label)
const idsOf = (tables) => [...new Set(tables.flatMap(({ rows }) => rows.map(({ id }) => id)))]
const rowsOf = ({ rows }, id) => rows.filter((row) => row.id === id)

/** Returns a sentence about how long approximate indexes took to build, and inserts of this package. */
function buildsText(tables) {
  const of = (table) => {
    const first = idsOf([table]).map((id) => rowsOf(table, id)[0])
    const built = first.filter(({ ours, knob, failed }) => !failed && (ours || knob))
    return `in ${RUNTIMES[table.runtime]}, ${built.map((row) => `${nameOf(row)} ${seconds(row.build)}`).join(', ')}`
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
  const lines = idsOf(tables).flatMap((id) => {
    const [first] = tables.map((table) => rowsOf(table, id)[0]).filter(Boolean)
    const name = nameOf(first)
    return Array.from({ length: Math.max(...tables.map((table) => rowsOf(table, id).length)) }, (_, n) => [
      first.ours ? `**${name}**` : first.knob ? `${name}, ${goals[n]}` : name,
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
