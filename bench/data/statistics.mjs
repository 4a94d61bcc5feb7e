// Medians and percentiles of measured times.

export function percentile(times, part) {
  const sorted = [...times].sort((x, y) => x - y)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}
export function median(times) {
  const sorted = [...times].sort((x, y) => x - y)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
export const summary = (times) => ({
  p50: median(times),
  p95: percentile(times, 0.95),
  worst: Math.max(...times),
  count: times.length,
})
