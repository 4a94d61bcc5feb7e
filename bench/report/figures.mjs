// Decides which charts are drawn, and from which results.
import { growingFigures } from './growing.mjs'
import { inputText, number, RUNTIMES, versionsText } from './text.mjs'

const largest = (tables) =>
  tables.filter(
    ({ rows, runtime, input, size }) =>
      rows.length && !tables.some((other) => other.runtime === runtime && other.input === input && other.size > size),
  )

const note = ({ search, recall, wall }) =>
  `${search.p50 < 10 ? search.p50.toFixed(2) : search.p50.toFixed(0)} ms` +
  (!wall && recall < 0.9995 ? `, recall ${recall.toFixed(3)}` : '')

/** Returns charts with bars: the search time of each peer, one chart for each runtime and input. */
const searchCharts = ({ search }, { bars }) =>
  largest(search?.results ?? []).map(({ runtime, input, size, rows }) => {
    const title = `Search of ${number(size)} rows of 384 numbers, top 10, ${inputText(input)}`
    const measured = rows.filter((row) => row.search)
    return {
      title: `${title}, ${RUNTIMES[runtime]}`,
      files: bars({
        name: `search-${input}-${runtime}`,
        title,
        facts: versionsText(search.run, runtime),
        x: 'time of a search, milliseconds (median)',
        bars: measured.map((row) => ({
          name: row.label,
          value: row.search.p50,
          ours: row.ours,
          wall: row.wall,
          note: note(row),
        })),
      }),
    }
  })

function durableCharts({ durable }, { lines }) {
  const results = durable?.results ?? []
  const most = results.filter(({ runtime, size }) => !results.some((one) => one.runtime === runtime && one.size > size))
  if (most.length === 0) return []
  const title = 'Time of a durable append of 1,000 rows, over the size of the store'
  const files = lines({
    name: 'durable-append-over-rows',
    title,
    facts: versionsText(durable.run),
    x: 'rows in the store',
    y: 'milliseconds',
    series: most.map(({ runtime, storage, ours }) => ({
      name: `${storage}, ${RUNTIMES[runtime]}`,
      points: ours.batches,
      colour: runtime === 'node' ? 0 : 2,
    })),
    dots: true,
  })
  return [{ title, files }]
}

/** Returns [{ title, files: [{ file, svg }] }]. `charts` is the module that draws. */
export const figuresOf = (results, charts) => [
  ...searchCharts(results, charts),
  ...growingFigures(results, charts),
  ...durableCharts(results, charts),
]
