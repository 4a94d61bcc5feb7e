const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export const count = (n: number) => whole.format(n)
export const compact = (n: number) => short.format(n)

export function bytes(n: number) {
  if (n < 1000) return `${n} B`
  const units = ['kB', 'MB', 'GB']
  let value = n / 1000
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1]
  return `${value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`
}

export function milliseconds(n: number) {
  // Browsers let a page measure tenths of a millisecond.
  return n < 10 ? `${n.toFixed(1)} ms` : `${Math.round(n)} ms`
}

export function duration(seconds: number) {
  if (seconds < 1.5) return 'about a second left'
  if (seconds < 90) return `about ${Math.round(seconds)} seconds left`
  return `about ${Math.round(seconds / 60)} minutes left`
}

export function median(values: number[]) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })
export const date = (when: Date) => day.format(when)
