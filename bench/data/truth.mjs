// Finds the true answers by the scores of all rows in f64. The answers of every peer are compared with them.

/** The number of rows that each search asks for. */
export const TOP = 10
/**
 * f32 sums of 384 products differ from those in f64 by about 1e-7. So a row whose score is this near to that of the
 * tenth best is right, too.
 */
export const NEAR = 1e-6

/** Returns the product of a row and a query. Four sums, because a processor adds to them at the same time. */
export function dot(rows, row, dimension, query, which) {
  let [a, b, c, d] = [0, 0, 0, 0]
  const at = row * dimension
  const from = which * dimension
  let i = 0
  for (; i + 3 < dimension; i += 4) {
    a += rows[at + i] * query[from + i]
    b += rows[at + i + 1] * query[from + i + 1]
    c += rows[at + i + 2] * query[from + i + 2]
    d += rows[at + i + 3] * query[from + i + 3]
  }
  for (; i < dimension; i++) a += rows[at + i] * query[from + i]
  return a + b + (c + d)
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
 * million rows in pieces. `best` are those among other rows, if there were some before.
 */
export function truth({ parts, dimension, queries, k = TOP, wanted = () => true, best: known }) {
  const count = queries.length / dimension
  const best = Array.from({ length: count }, (_, which) => [...(known?.[which] ?? [])])
  for (const { rows, base } of parts())
    for (let which = 0; which < count; which++)
      scan(best[which], k, rows, rows.length / dimension, base, dimension, queries, which, wanted)
  return best
}

/** Yields rows in pieces that the caches of a processor hold, up to each mark. */
function* pieces(rows, dimension, from, to) {
  const PIECE = 1000
  for (let base = from; base < to; base += PIECE)
    yield { rows: rows.subarray(base * dimension, Math.min(to, base + PIECE) * dimension), base }
}

/** Returns the best rows for each query among the first rows, for several numbers of rows: a Map by that number. */
export function truthAt(marks, { rows, dimension, queries, k = TOP }) {
  const found = new Map()
  let best
  let from = 0
  for (const mark of marks) {
    best = truth({ parts: () => pieces(rows, dimension, from, mark), dimension, queries, k, best })
    found.set(mark, best)
    from = mark
  }
  return found
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
