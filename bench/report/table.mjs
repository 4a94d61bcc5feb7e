// Writes results as Markdown.
const ms = (value) =>
  value === undefined
    ? ''
    : value >= 100
      ? value.toFixed(0)
      : value >= 10
        ? value.toFixed(1)
        : value >= 1
          ? value.toFixed(2)
          : value.toFixed(3)
const seconds = (value) =>
  value === undefined ? '' : value === 0 ? '0 ms' : value < 995 ? `${ms(value)} ms` : `${(value / 1000).toFixed(1)} s`
/** In units of 1,024, as the build prints its sizes. */
const bytes = (value) => {
  if (value === undefined) return ''
  const mib = value / 2 ** 20
  return mib >= 1 ? `${mib.toFixed(mib >= 10 ? 0 : 1)} MB` : `${(value / 1024).toFixed(1)} KB`
}
const times = (value) =>
  value === undefined || !Number.isFinite(value)
    ? ''
    : `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} x`
export const number = (value) => value.toLocaleString('en')

export function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

const memory = ({ memory: both, wall }) => {
  if (!both || wall) return ''
  const { wasm, heap } = both
  if (heap === undefined) return wasm ? bytes(wasm) : ''
  return wasm ? `${bytes(wasm + heap)} (wasm ${bytes(wasm)})` : bytes(heap)
}

const HEAD = [
  'engine',
  'index',
  'recall@10',
  'p50 ms',
  'p95',
  'worst',
  'of the wall',
  'ours is faster by',
  'filtered p50',
  '32 at once',
  'insert',
  'first search',
  'memory',
]

/** The table of one runtime, one input and one size. */
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

/** The same table with fewer columns, for a first look. */
export function shortTable({ rows }) {
  const wall = rows.find((row) => row.wall)?.search?.p50
  const ours = rows.find((row) => row.ours)?.search?.p50
  return markdown(
    ['engine', 'recall@10', 'search p50 ms', 'p95', 'of the wall', 'ours is faster by', 'insert', 'memory'],
    rows.map((row) => {
      const { label, recall, search, build, failed } = row
      if (failed) return [label, failed, '', '', '', '', '', '']
      const name = row.ours ? `**${label}**` : label
      return [
        name,
        recall === undefined ? '' : recall.toFixed(3),
        ms(search.p50),
        ms(search.p95),
        times(search.p50 / wall),
        row.ours || row.wall ? '' : times(search.p50 / ours),
        row.wall ? '' : seconds(build),
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
    'written straight',
    'ratio',
    'bytes written / in the files',
    'open',
    'reading both files',
    'ratio',
    'into new memory',
    'ratio',
    'first search after open',
    'settled after',
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
    ['engine', 'gzip'],
    downloads.map(({ label, bytes: size, failed }) => [label, failed ?? bytes(size)]),
  )

/** Full memory comes first, and the others beside it. */
export const modesTable = (modes) =>
  markdown(
    ['', 'rows', 'mode', 'search p50 ms', 'p95', 'of full memory', '32 in one call, each', 'wasm memory'],
    modes.flatMap(({ runtime, input, size, rows }) =>
      rows.map((one, i) => [
        i ? '' : `${runtime}, ${input}`,
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

const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]

/** The table of one input. It has a line for each share that matches, and the operators' median and worst in a cell. */
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

export function filterText({ cells }) {
  const ratios = cells.map(({ ratio }) => ratio)
  return `median ${times(middle(ratios))}, ${ratios.filter((ratio) => ratio > 2).length} of ${ratios.length} cells over 2 x, at most ${times(Math.max(...ratios))}`
}

export const millionTable = (millions) =>
  markdown(
    ['1,000,000 x 384', 'memory', 'wasm memory', 'insert', 'search p50', 'p95', 'worst'],
    millions.map((one) => [
      one.runtime,
      one.memory,
      bytes(one.wasm),
      seconds(one.build),
      seconds(one.search.p50),
      seconds(one.search.p95),
      seconds(one.search.worst),
    ]),
  )

/** The way in which each engine was used, once. */
export function engineTable(tables, peers) {
  const seen = new Map()
  for (const row of tables.flatMap(({ rows }) => rows)) if (row.how && !seen.has(row.id)) seen.set(row.id, row)
  const name = (row) => (row.knob?.value !== undefined ? row.label.replace(/, [^,]* \d+$/, '') : row.label)
  return markdown(
    ['engine', 'version', 'index', 'how'],
    [...seen.values()].map((row) => [
      name(row),
      row.package ? peers[row.package] : '',
      row.index,
      row.how.replaceAll('|', '\\|'),
    ]),
  )
}

export function machineText({ cpu, cores, memory: gib, platform, node, chromium, date, commit, version, quick }) {
  return `${cpu}, ${cores} cores, ${gib} GiB, ${platform}; Node ${node}${chromium ? `, Chromium ${chromium}` : ''}; nidus-wasm ${version} (${commit}); ${date}${quick ? '; a quick run, its figures are rough' : ''}`
}
