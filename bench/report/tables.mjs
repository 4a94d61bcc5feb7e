// Writes results as tables of Markdown.
import { bytes, inputText, markdown, middle, ms, number, RUNTIMES, seconds, times } from './text.mjs'

const memory = ({ memory: both, wall }) => {
  if (!both || wall) return ''
  const { wasm, heap } = both
  if (heap === undefined) return wasm ? bytes(wasm) : ''
  return wasm ? `${bytes(wasm + heap)} (wasm ${bytes(wasm)})` : bytes(heap)
}

const HEAD = [
  'peer',
  'index',
  'recall@10',
  'p50 ms',
  'p95',
  'worst',
  'of the wall',
  'nidus-wasm is faster by',
  'filtered p50',
  '32 queries in one call',
  'insert',
  'first search',
  'memory',
]

/** Returns the table of one runtime, one input and one size. */
export function searchTable({ rows }) {
  const wall = rows.find((row) => row.wall)?.search?.p50
  const ours = rows.find((row) => row.ours)?.search?.p50
  return markdown(
    HEAD,
    rows.map((row) => {
      const { label, index = '', recall, search, filtered, filteredRecall, many, build, first, failed } = row
      if (failed) return [label, index, failed, ...HEAD.slice(3).map(() => '')]
      const rough =
        filteredRecall !== undefined && filteredRecall < 0.9995 ? ` (recall ${filteredRecall.toFixed(3)})` : ''
      return [
        row.ours ? `**${label}**` : label,
        index,
        recall === undefined ? '' : recall.toFixed(3),
        ms(search.p50),
        ms(search.p95),
        ms(search.worst),
        times(search.p50 / wall),
        row.ours || row.wall ? '' : times(search.p50 / ours),
        row.filters === false ? 'no filters' : filtered ? `${ms(filtered.p50)}${rough}` : '',
        many ? ms(many) : '',
        row.wall ? '' : seconds(build),
        row.wall ? '' : seconds(first),
        memory(row),
      ]
    }),
  )
}

export function durableTable(durable) {
  const head = [
    '',
    'rows',
    'durable insert',
    'written directly',
    'ratio',
    'bytes written / in the files',
    'open',
    'reading both files',
    'ratio',
    'into new memory',
    'ratio',
    'first search after open',
    'codes ready after',
  ]
  return markdown(
    head,
    durable.flatMap(({ storage, size, ours, native }) => [
      [
        `nidus-wasm, ${storage}`,
        number(size),
        seconds(ours.insert),
        seconds(ours.straight),
        times(ours.insert / ours.straight),
        ours.written ? `${(ours.written / ours.disk).toFixed(3)} x of ${bytes(ours.disk)}` : '',
        seconds(ours.open),
        seconds(ours.read),
        times(ours.open / ours.read),
        ours.readFresh ? seconds(ours.readFresh) : '',
        ours.readFresh ? times(ours.open / ours.readFresh) : '',
        seconds(ours.first),
        seconds(ours.settled),
      ],
      ...(native && !native.failed
        ? [
            [
              'nidus 0.3.0, native',
              number(size),
              seconds(native.insert),
              '',
              times(native.insert / ours.straight),
              native.written ? `${(native.written / native.disk).toFixed(3)} x` : '',
              seconds(native.open),
              '',
              times(native.open / ours.read),
              '',
              ours.readFresh ? times(native.open / ours.readFresh) : '',
              seconds(native.first),
              '',
            ],
          ]
        : []),
    ]),
  )
}

export const downloadTable = (downloads) =>
  markdown(
    ['package', 'gzip'],
    downloads.map(({ label, bytes: size, failed }) => [label, failed ?? bytes(size)]),
  )

export const memoryTable = (modes) =>
  markdown(
    ['', 'rows', 'mode', 'search p50 ms', 'p95', 'of full memory', '32 in one call, each', 'wasm memory'],
    modes.flatMap(({ runtime, title, size, rows }) =>
      rows.map((one, i) => [
        i ? '' : `${RUNTIMES[runtime]}, ${title}`,
        number(size),
        one.mode,
        ms(one.search.p50),
        ms(one.search.p95),
        times(one.ratio),
        ms(one.together),
        runtime === 'node' ? '' : bytes(one.wasm),
      ]),
    ),
  )

/**
 * Returns the table of one input. It has a line for each share of rows that match. A cell has the median and the
 * maximum over all operators.
 */
export function filterTable({ cells }) {
  const of = (name) => [...new Set(cells.map((cell) => cell[name]))]
  const titles = { none: 'any rows', nearest: 'the nearest rows', farthest: 'the farthest rows' }
  const cell = (found, name) =>
    `${times(middle(found.map((one) => one[name])))}, at most ${times(Math.max(...found.map((one) => one[name])))}`
  return markdown(
    ['rows that match', ...of('correlation').map((name) => titles[name]), 'first use'],
    of('share').map((share) => [
      `${share * 100} %`,
      ...of('correlation').map((name) =>
        cell(
          cells.filter((one) => one.share === share && one.correlation === name),
          'ratio',
        ),
      ),
      cell(
        cells.filter((one) => one.share === share),
        'first',
      ),
    ]),
  )
}

export const millionTable = (millions) =>
  markdown(
    ['', 'rows', 'memory', 'wasm memory', 'insert', 'search p50', 'p95', 'worst', 'smaller store', 'its p50', 'ratio'],
    millions.map(({ input = 'uniform', against, ...one }) => [
      `${RUNTIMES[one.runtime]}, ${inputText(input)}${one.mixture ? ' and mixed rows' : ''}`,
      number(one.rows),
      one.memory,
      bytes(one.wasm),
      seconds(one.build),
      seconds(one.search.p50),
      seconds(one.search.p95),
      seconds(one.search.worst),
      ...(against ? [`${number(against.rows)} rows`, seconds(against.p50), times(against.ratio)] : ['', '', '']),
    ]),
  )

/** Returns the table of what a growing store costs at some sizes. */
export const growthTable = (results) =>
  markdown(
    ['', 'rows', 'search p50 ms', 'p95', 'worst', 'append of 1,000 rows, ms', 'wasm memory'],
    results.flatMap(({ runtime, input, count, points, appends }) =>
      points.map(({ rows, p50, p95, worst, wasm }, i) => [
        i ? '' : `${RUNTIMES[runtime]}, ${inputText(input)}`,
        `${number(rows)}${rows > (count ?? Infinity) ? ' (mixed)' : ''}`,
        ms(p50),
        ms(p95),
        ms(worst),
        ms(middle(appends.filter(([at]) => at <= rows && at > (points[i - 1]?.rows ?? 0)).map(([, time]) => time))),
        bytes(wasm),
      ]),
    ),
  )

export const openTable = (results) =>
  markdown(
    ['', 'rows', 'files', 'opening', 'reading into new memory', 'ratio', 'first search after it'],
    results.flatMap(({ runtime, storage, input, count, points }) =>
      points.map(({ rows, open, read, first, disk }, i) => [
        i ? '' : `${RUNTIMES[runtime]}, ${storage}, ${inputText(input)}`,
        `${number(rows)}${rows > (count ?? Infinity) ? ' (mixed)' : ''}`,
        bytes(disk),
        seconds(open),
        seconds(read),
        times(open / read),
        seconds(first),
      ]),
    ),
  )

/** Returns the table that says how each peer was used. */
export function peerTable(tables, peers) {
  const seen = new Map()
  for (const row of tables.flatMap(({ rows }) => rows)) if (row.how && !seen.has(row.id)) seen.set(row.id, row)
  const name = (row) => (row.knob?.value !== undefined ? row.label.replace(/, [^,]* \d+$/, '') : row.label)
  return markdown(
    ['peer', 'version', 'index', 'how it was used'],
    [...seen.values()].map((row) => [
      name(row),
      row.package ? peers[row.package] : '',
      row.index,
      row.how.replaceAll('|', '\\|'),
    ]),
  )
}
