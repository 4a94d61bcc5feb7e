// Writes the section of docs/performance.md: one small table of search times.
import { realSummary } from './real.mjs'
import { inputText, machineText, markdown, ms, number, RUNTIMES, wrap } from './text.mjs'

/** Returns the section. `link`: the path of the page of results. */
export function docsSection({ search: { run, results }, real }, link) {
  const measured = results.filter(({ rows }) => rows.length)
  const size = Math.max(...measured.map((table) => table.size))
  const tables = measured.filter((table) => table.size === size && table.input !== 'clustered')
  const peers = new Map(tables.flatMap(({ rows }) => rows.map(({ id, label, ours }) => [id, { label, ours }])))
  const cell = ({ rows }, id) => {
    const [best] = rows.filter((row) => row.id === id)
    if (!best) return ''
    if (best.failed) return 'not built'
    const { recall = 1 } = best
    return ms(best.search.p50) + (recall < 0.9995 ? ` (recall ${recall.toFixed(3)})` : '')
  }
  const head = tables.map(({ runtime, input }) => `${RUNTIMES[runtime]}, ${inputText(input)}`)
  const lines = [...peers].map(([id, { label, ours }]) => [
    ours ? `**${label}**` : label,
    ...tables.map((table) => cell(table, id)),
  ])
  return [
    `The time of a search for the best 10 of ${number(size)} rows of 384 numbers, in one thread, in milliseconds ` +
      '(median):',
    markdown(['package', ...head], lines),
    `The memory wall is one read of all f32 in a wasm memory. "Not built": filling it would have taken longer than ` +
      'the time limit. Recall is 1.000 where a cell does not name it. ' +
      `[All tables and charts](${link}).`,
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
