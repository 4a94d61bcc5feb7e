// Prints tables and progress for people. (For programs the command line prints JSON.)
import { stderr, stdout } from 'node:process'
import type { Values } from './args.js'

export const say = (text: string) => void stdout.write(`${text}\n`)
/** Prints one line of JSON with --json, and what is for people otherwise. */
export const out = (values: Values, data: unknown, people: () => void) =>
  values.json ? say(JSON.stringify(data)) : people()

const whole = new Intl.NumberFormat('en')
export const count = (n: number) => whole.format(n)
export function bytes(n: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let value = n
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1]
  return unit === 0 ? `${count(n)} bytes` : `${value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`
}

/** Prints names and values in two columns. */
export function pairs(rows: [string, string][]) {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) say(`${name.padEnd(width)}  ${value}`)
}

export function table(head: string[], rows: string[][]) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)))
  // Columns of numbers are aligned to the right.
  const right = head.map((_, i) => rows.length > 0 && rows.every((row) => /^[-\d.,]*$/.test(row[i])))
  for (const row of [head, ...rows])
    say(
      row
        .map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
}

/** Shows a bar of progress if stderr is a terminal. */
export function progress(what: string) {
  const shown = stderr.isTTY
  let last = 0
  return {
    tell(done: number, total: number | undefined) {
      if (!shown || (performance.now() - last < 100 && done !== total)) return
      last = performance.now()
      const part = total ? Math.min(1, done / total) : 0
      const bar = total
        ? `[${'='.repeat(Math.round(part * 30)).padEnd(30)}] ${(part * 100).toFixed(0).padStart(3)} %`
        : count(done)
      stderr.write(`\r${what} ${bar}`)
    },
    end() {
      if (shown && last) stderr.write('\r\x1b[K')
    },
  }
}
