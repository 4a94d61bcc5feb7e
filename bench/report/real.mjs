// Writes the tables of what is measured over real rows.
import { markdown, ms, number, RUNTIMES, seconds, times } from './text.mjs'

const FIGURES = { median: 'p50', p90: 'p90', p99: 'p99', 'slowest question': 'worst' }
const BASES = { wall: 'memory wall', loop: 'f32 scan by hand', segment: "f32 scan of this package's Segment" }

const ours = (rows) => rows.filter(({ scan, search }) => !scan && search)
const of = (rows, id) => rows.find((row) => row.id === id)?.search

/** Returns the table of times. */
export const realTimes = ({ rows }) =>
  markdown(
    ['milliseconds', ...Object.keys(FIGURES)],
    rows.map(({ label, scan, search, failed }) => [
      scan ? label : `**${label}**`,
      ...Object.values(FIGURES).map((name, i) => (failed ? (i ? '' : failed) : ms(search[name]))),
    ]),
  )

/** Returns the table of ratios to the medians of the wall and of the scans. */
export const realRatios = ({ rows }) =>
  markdown(
    ['ratios', ...Object.keys(FIGURES)],
    ours(rows).flatMap(({ label, search }) =>
      Object.entries(BASES).map(([id, name]) => [
        `${label}, of the ${name}`,
        ...Object.values(FIGURES).map((figure) => times(search[figure] / of(rows, id).p50)),
      ]),
    ),
  )

/** Returns sentences: the slowest questions, the two modules beside each other, and the first search. */
export function realText({ rows, first }) {
  const slowest = ours(rows)
    .filter(({ worst }) => worst)
    .map(({ label, worst }) => `${label}: number ${worst.which}${worst.text ? ` ("${worst.text}")` : ''}`)
  const [plain, relaxed] = ['plain', 'relaxed'].map((id) => rows.find((row) => row.id === id))
  const flags = relaxed?.flags ? ` (with ${relaxed.flags.join(' ')})` : ''
  return [
    `The slowest questions are, counted from 0, ${slowest.join('; ')}.`,
    ...(relaxed?.search
      ? [
          `The relaxed-SIMD module${flags} takes ${times(relaxed.search.p50 / plain.search.p50)} the plain one's median.`,
        ]
      : []),
    `The first search right after an opening (${first.storage}), when ${number(first.coded)} rows had codes, takes ` +
      `${seconds(first.ms)}: ${times(first.ms / first.loop)} of the f32 scan by hand, ` +
      `${times(first.ms / first.segment)} of that of Segment, ${times(first.ms / first.wall)} of the wall.`,
  ].join(' ')
}

export const realPart = ({ results }) => [
  '## Questions over real rows',
  'Every question is asked once in a round, in turns with the memory wall and with scans of all f32, when all codes ' +
    'are made. A question counts with the median of its rounds, so that no figure is a hiccup of the machine. The ' +
    'first rows of a fixed shuffle are taken. Each answer was compared with a scan in f64.',
  ...results.flatMap((table) => [
    `### ${RUNTIMES[table.runtime]}, ${number(table.size)} of ${table.title}, ${number(table.questions)} questions`,
    realTimes(table),
    realRatios(table),
    realText(table),
  ]),
]

/** Returns a small table for the docs: the ratios to the scan by hand and to the wall, for each runtime and size. */
export const realSummary = (results) =>
  markdown(
    [
      'real rows',
      'runtime',
      'median',
      'of the f32 scan by hand',
      'of the memory wall',
      'p99',
      'slowest question',
      'of the f32 scan by hand',
    ],
    results.map(({ size, runtime, rows }) => {
      const [best] = ours(rows).filter(({ id }) => id === 'plain')
      const scan = of(rows, 'loop').p50
      const { p50, p99, worst } = best.search
      return [
        number(size),
        RUNTIMES[runtime],
        `${ms(p50)} ms`,
        times(p50 / scan),
        times(p50 / of(rows, 'wall').p50),
        `${ms(p99)} ms`,
        `${ms(worst)} ms`,
        times(worst / scan),
      ]
    }),
  )

const share = (value) => `${(100 * value).toFixed(1)} %`

/** Returns the tables that compare mixed rows with the real ones they are made of. */
export function mixtureTables({ spectrum, nearest }, directions, parts) {
  return [
    markdown(
      ['share of the variance in the first', ...directions.map((count) => `${count} directions`)],
      Object.entries(spectrum).map(([name, shares]) => [`${name} rows`, ...shares.map(share)]),
    ),
    markdown(
      ['cosine to the nearest other row', ...parts.map((part) => (part === 0.5 ? 'median' : `p${part * 100}`))],
      Object.entries(nearest).map(([name, scores]) => [NEAREST[name], ...scores.map((score) => score.toFixed(3))]),
    ),
  ]
}
const NEAREST = {
  real: 'real rows, among real rows',
  'real, in all': 'real rows, among all rows',
  mixed: 'mixed rows, among all rows',
}
