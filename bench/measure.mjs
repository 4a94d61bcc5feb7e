// Medians, percentiles, and the true answers: scores of every row in f64, which every engine's answers are compared
// with.
export const TOP = 10
/**
 * f32 sums of 384 products differ from those in f64 by about 1e-7. A row that is so near to the tenth best is as good
 * an answer.
 */
export const NEAR = 1e-6

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

export function dot(rows, row, dimension, query, which) {
  let sum = 0
  for (let i = 0, at = row * dimension, from = which * dimension; i < dimension; i++)
    sum += rows[at + i] * query[from + i]
  return sum
}

/** Merges the best `k` of [from, to), by f64, into `best` (sorted). Rows are counted from `base`. */
function scan(best, k, rows, count, base, dimension, query, which, wanted) {
  for (let row = 0; row < count; row++) {
    if (!wanted(base + row)) continue
    const score = dot(rows, row, dimension, query, which)
    if (best.length === k && score <= best[k - 1].score) continue
    let place = best.length
    while (place > 0 && best[place - 1].score < score) place--
    best.splice(place, 0, { row: base + row, score })
    if (best.length > k) best.pop()
  }
}

/**
 * Finds the truly best rows for each query. `parts` yields { rows, base }: all rows at once, or a million in pieces.
 * `judge(which, found)` returns the recall of an answer: how many of its rows belong to the best, or have the score of
 * the last of them.
 */
export function truth({ parts, dimension, queries, k = TOP, wanted = () => true }) {
  const count = queries.length / dimension
  const best = Array.from({ length: count }, () => [])
  for (const { rows, base } of parts())
    for (let which = 0; which < count; which++)
      scan(best[which], k, rows, rows.length / dimension, base, dimension, queries, which, wanted)
  return best
}

/** Returns the recall, and what is wrong with the answer if it should be exact. `score(row, which)` is in f64. */
export function judge(best, found, score, wanted = () => true) {
  const last = best.at(-1)?.score ?? Infinity
  const good = new Set(found.rows.filter((row) => wanted(row) && score(row) >= last - NEAR))
  const recall = best.length ? good.size / best.length : 1
  let wrong
  if (found.rows.length !== best.length) wrong = `${found.rows.length} hits instead of ${best.length}`
  else if (recall < 1) wrong = `rows ${found.rows.join(' ')} instead of ${best.map(({ row }) => row).join(' ')}`
  else if (found.scores?.some((given, i) => Math.abs(given - score(found.rows[i])) > NEAR))
    wrong = `the scores ${found.scores.join(' ')}`
  return { recall, wrong }
}
