// Finds the true answers by the scores of all rows in f64. The answers of every peer are compared with them.

/** The number of rows that each search asks for. */
export const TOP = 10
/**
 * f32 sums of 384 products differ from those in f64 by about 1e-7. So a row whose score is this near to that of the
 * tenth best is right, too.
 */
export const NEAR = 1e-6

export function dot(rows, row, dimension, query, which) {
  let sum = 0
  for (let i = 0, at = row * dimension, from = which * dimension; i < dimension; i++)
    sum += rows[at + i] * query[from + i]
  return sum
}

/** Puts the rows that are among the best `k` into the sorted list `best`. The first row has the number `base`. */
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
 * Returns the best rows for each query, with their scores. `parts` yields { rows, base }: all rows at once, or a
 * million rows in pieces.
 */
export function truth({ parts, dimension, queries, k = TOP, wanted = () => true }) {
  const count = queries.length / dimension
  const best = Array.from({ length: count }, () => [])
  for (const { rows, base } of parts())
    for (let which = 0; which < count; which++)
      scan(best[which], k, rows, rows.length / dimension, base, dimension, queries, which, wanted)
  return best
}

/**
 * Returns { recall, wrong }. `recall` is the share of the best rows that the answer has. A row with nearly the score of
 * the last of the best counts as one of them. `wrong` says what is wrong if the answer is not exact. `score(row)` is in
 * f64.
 */
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
