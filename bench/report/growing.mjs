// The charts over the number of rows: searches, inserts, openings, memory, and the curve of all questions.
import { inputText, number, RUNTIMES, versionsText } from './text.mjs'

const MIB = 2 ** 20

/** Returns the name of an input for a title. Rows after the real ones are mixed from them. */
const titleOf = ({ input, count, points }) =>
  `${inputText(input)}${count && points.at(-1).rows > count ? `, mixed from ${number(count)} on` : ''}`

const fileOf = (name, { input, runtime }) => `${name}-${input === 'uniform' ? '' : `${input}-`}${runtime}`

const OTHERS = [
  ['wall', 'memory wall'],
  ['native', 'nidus 0.3.0, native'],
  ['hnswlib-brute', 'hnswlib-wasm, brute force'],
  ['loop', 'plain loop'],
  ['segment', "f32 scan of this package's Segment"],
]

/**
 * Returns a chart with lines: the search time for each number of rows. Other peers have a point for each size of the
 * cases "search" and "real".
 */
function searchChart({ search, real, growth }, one, { lines }) {
  const { runtime, input, points } = one
  const pointsOf = (id) =>
    [...(search?.results ?? []), ...(real?.results ?? [])]
      .filter((table) => table.runtime === runtime && table.input === input)
      .sort((a, b) => a.size - b.size)
      .map(({ size, rows }) => [size, rows.find((row) => row.id === id && row.search)?.search.p50])
      .filter(([, ms]) => ms !== undefined)
  const others = OTHERS.map(([id, name], i) => ({ name, points: pointsOf(id), colour: i + 1 })).filter(
    ({ points }) => points.length > 1,
  )
  return chart('Time of a search over the number of rows, top 10', 'search-over-rows', growth.run, one, lines, {
    y: 'milliseconds (median)',
    log: true,
    series: [{ name: 'nidus-wasm', points: points.map(({ rows, p50 }) => [rows, p50]), colour: 0 }, ...others],
  })
}

function chart(title, name, run, one, draw, more) {
  const whole = `${title}, ${titleOf(one)}`
  return {
    title: `${whole}, ${RUNTIMES[one.runtime]}`,
    files: draw({
      name: fileOf(name, one),
      title: whole,
      facts: versionsText(run, one.runtime),
      x: 'rows of 384 numbers',
      ...more,
    }),
  }
}

const isWhole = ([rows], i, appends) => rows - (appends[i - 1]?.[0] ?? 0) === 1000

const appendChart = ({ growth }, one, { lines }) =>
  chart('Time of an append of 1,000 rows in memory', 'append-over-rows', growth.run, one, lines, {
    y: 'milliseconds',
    // The batches before a mark are smaller.
    series: [{ name: 'in memory', points: one.appends.filter(isWhole), colour: 0 }],
    dots: true,
  })

function memoryChart({ growth }, one, { lines }) {
  const points = one.points.filter(({ wasm }) => wasm)
  if (points.length < 2) return []
  const made = chart('Wasm memory over the number of rows', 'memory-over-rows', growth.run, one, lines, {
    y: 'MB',
    log: true,
    series: [
      { name: 'nidus-wasm', points: points.map(({ rows, wasm }) => [rows, wasm / MIB]), colour: 0 },
      { name: 'the rows alone', points: points.map(({ rows }) => [rows, (rows * 384 * 4) / MIB]), colour: 1 },
    ],
  })
  return [made]
}

const openChart = ({ open }, one, { lines }) =>
  chart(`Time of an opening, ${one.storage}`, 'open-over-rows', open.run, one, lines, {
    y: 'milliseconds (median)',
    log: true,
    series: [
      { name: 'opening the store', points: one.points.map(({ rows, open: ms }) => [rows, ms]), colour: 0 },
      {
        name: 'reading files of the same lengths into new memory',
        points: one.points.map(({ rows, read }) => [rows, read]),
        colour: 1,
      },
      { name: 'first search after it', points: one.points.map(({ rows, first }) => [rows, first]), colour: 2 },
    ],
  })

/** Returns charts with the times of all questions, the quickest first: one for each runtime and size. */
const questionCharts = ({ real }, { lines }) =>
  (real?.results ?? []).map(({ runtime, input, size, rows }) => {
    const title = `All questions, the quickest first: ${number(size)} real rows (${input}), top 10`
    const flat = ({ label, search }, colour) => ({
      name: label,
      points: [
        [0, search.p50],
        [100, search.p50],
      ],
      colour,
    })
    const scans = rows.filter(({ scan }) => scan)
    const curves = rows.filter(({ curve }) => curve)
    return {
      title: `${title}, ${RUNTIMES[runtime]}`,
      files: lines({
        name: `questions-${size}-${runtime}`,
        title,
        facts: versionsText(real.run, runtime),
        x: 'share of the questions, per cent',
        y: 'milliseconds',
        log: 'y',
        series: [
          ...curves.map(({ label, curve }, i) => ({ name: label, points: curve, colour: i ? 2 : 0 })),
          ...scans.map((row, i) => flat(row, [1, 3, 4][i])),
        ],
      }),
    }
  })

/** Returns [{ title, files: [{ file, svg }] }]. */
export const growingFigures = (results, charts) => [
  ...questionCharts(results, charts),
  ...(results.growth?.results ?? []).flatMap((one) => [
    searchChart(results, one, charts),
    appendChart(results, one, charts),
    ...memoryChart(results, one, charts),
  ]),
  ...(results.open?.results ?? []).map((one) => openChart(results, one, charts)),
]
