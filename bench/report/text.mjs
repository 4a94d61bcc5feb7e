// Numbers and facts as text.
export const RUNTIMES = { node: 'Node', chromium: 'Chromium' }

export const ms = (value) =>
  value === undefined
    ? ''
    : value >= 100
      ? value.toFixed(0)
      : value >= 10
        ? value.toFixed(1)
        : value >= 1
          ? value.toFixed(2)
          : value.toFixed(3)
export const seconds = (value) =>
  value === undefined ? '' : value === 0 ? '0 ms' : value < 995 ? `${ms(value)} ms` : `${(value / 1000).toFixed(1)} s`
/** Returns bytes as KB of 1,024 bytes or MB of 1,024 KB, like the sizes that the build prints. */
export const bytes = (value) => {
  if (value === undefined) return ''
  const mib = value / 2 ** 20
  return mib >= 1 ? `${mib.toFixed(mib >= 10 ? 0 : 1)} MB` : `${(value / 1024).toFixed(1)} KB`
}
export const times = (value) =>
  value === undefined || !Number.isFinite(value)
    ? ''
    : `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value < 0.1 ? 3 : 2)} x`
export const number = (value) => value.toLocaleString('en')

export function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

export const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]

export function filterText({ cells }) {
  const ratios = cells.map(({ ratio }) => ratio)
  const over = ratios.filter((ratio) => ratio > 2).length
  const most = times(Math.max(...ratios))
  return `median ${times(middle(ratios))}, ${over} of ${ratios.length} cells over 2 x, at most ${most}`
}

/** Returns a paragraph in lines of at most 120 columns. */
export function wrap(text) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line && line.length + word.length >= 120) lines.push(word)
    else lines[lines.length - 1] = line ? `${line} ${word}` : word
  }
  return lines.join('\n')
}

/**
 * Returns the name of an input for titles. Apart from the two synthetic inputs, each is a folder with real embeddings.
 */
export const inputText = (input) =>
  ({ uniform: 'uniform random rows', clustered: 'clustered rows' })[input] ?? `real embeddings (${input})`

const quickText = (quick) => (quick ? '; a quick run, so the figures are rough' : '')

/** Returns the facts of a run in one sentence, without a full stop. */
export const machineText = ({ cpu, cores, memory, platform, node, chromium, date, commit, version, quick }) =>
  `${cpu}, ${cores} cores, ${memory} GiB, ${platform}; Node ${node}${chromium ? `, Chromium ${chromium}` : ''}; ` +
  `nidus-wasm ${version} (${commit}); ${date}${quickText(quick)}`

/** Returns the facts that a chart shows: the runtime (or both), the version, the machine, the date. */
export function versionsText({ node, chromium, version, cpu, cores, date, quick }, runtime) {
  const names = { node: `Node ${node}`, chromium: `Chromium ${chromium}` }
  const shown = runtime ? names[runtime] : Object.values(names).join(' and ')
  return `${shown} · nidus-wasm ${version} · ${cpu}, ${cores} cores · ${date}${quick ? ' · quick run' : ''}`
}
