// Finds the true answers by the scores of all rows in f64. The answers of every peer are compared with them.

/** The number of rows that each search asks for. */
export const TOP = 10
/**
 * f32 sums of 384 products differ from those in f64 by about 1e-7. So a row whose score is this near to that of the
 * tenth best is right, too.
 */
export const NEAR = 1e-6

/** Returns the product of a row and a query. */
export function dot(rows, row, dimension, query, which) {
  let sum = 0
  for (let i = 0, at = row * dimension, from = which * dimension; i < dimension; i++)
    sum += rows[at + i] * query[from + i]
  return sum
}

/** The rows that are looked at together, so that a processor's caches hold them. */
const PIECE = 500
/** The queries that share one pass over a row: four sums are made at the same time. */
const TOGETHER = 4

/** Writes the products of one row and four queries, which follow each other. */
function products(rows, at, queries, from, dimension, out) {
  let [a, b, c, d] = [0, 0, 0, 0]
  const [second, third, fourth] = [from + dimension, from + 2 * dimension, from + 3 * dimension]
  for (let i = 0; i < dimension; i++) {
    const x = rows[at + i]
    a += x * queries[from + i]
    b += x * queries[second + i]
    c += x * queries[third + i]
    d += x * queries[fourth + i]
  }
  out[0] = a
  out[1] = b
  out[2] = c
  out[3] = d
}

/** Puts a row into the sorted list `best`, if it is among the best `k`. */
function enter(best, k, row, score) {
  if (best.length === k && score <= best[k - 1].score) return
  let place = best.length
  while (place > 0 && best[place - 1].score < score) place--
  best.splice(place, 0, { row, score })
  if (best.length > k) best.pop()
}

/**
 * Returns the best rows for each query, with their scores. `parts` yields { rows, base }: all rows at once, or a
 * million rows in pieces. `best` are those among other rows, if there were some before.
 */
export function truth({ parts, dimension, queries, k = TOP, wanted = () => true, best: known }) {
  const count = queries.length / dimension
  const best = Array.from({ length: count }, (_, which) => [...(known?.[which] ?? [])])
  // The numbers are made f64 once, and not in each product. Queries of zeros fill the last group.
  const asked = new Float64Array(Math.ceil(count / TOGETHER) * TOGETHER * dimension)
  asked.set(queries)
  const scores = new Float64Array(TOGETHER)
  for (const { rows, base } of parts())
    for (let from = 0; from < rows.length; from += PIECE * dimension) {
      const piece = Float64Array.from(rows.subarray(from, from + PIECE * dimension))
      const first = base + from / dimension
      for (let group = 0; group < count; group += TOGETHER)
        for (let i = 0; i * dimension < piece.length; i++) {
          if (!wanted(first + i)) continue
          products(piece, i * dimension, asked, group * dimension, dimension, scores)
          for (let n = 0; n < TOGETHER && group + n < count; n++) enter(best[group + n], k, first + i, scores[n])
        }
    }
  return best
}

/** Returns the best rows for each query among the first rows, for several numbers of rows: a Map by that number. */
export function truthAt(marks, { rows, dimension, queries, k = TOP }) {
  const found = new Map()
  let best
  let from = 0
  for (const mark of marks) {
    const part = { rows: rows.subarray(from * dimension, mark * dimension), base: from }
    best = truth({ parts: () => [part], dimension, queries, k, best })
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
