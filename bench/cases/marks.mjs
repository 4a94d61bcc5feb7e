// The numbers of rows at which the cases "growth" and "open" measure.
import { atMost } from '../data/files.mjs'

const MARKS = [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000]

/**
 * Returns the marks for an input. All real rows are a mark of their own, in place of 100,000. More of them, which are
 * mixed, are measured only if the case "million" is.
 */
export function marksOf(input, { most, million, cases }) {
  const { count } = input
  const end = cases.includes('million') && input.paths.mix ? million : atMost(input, most)
  const marks = MARKS.map((mark) => (count && mark === 100_000 ? count : mark)).filter((mark) => mark <= end)
  return [...new Set([...marks, end])].sort((a, b) => a - b)
}
