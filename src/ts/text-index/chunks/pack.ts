import type { Section, Unit } from './units.js'
import type { Chunk } from '../../types/text-index.js'

export interface Sizes {
  /** The most tokens of a passage, and how many of them are repeated in the next one. */
  size: number
  overlap: number
}

/** Letters of scripts without spaces are about a token each, others about a quarter. */
export function estimateTokens(text: string): number {
  let quarters = 0
  for (let i = 0; i < text.length; i++) quarters += text.charCodeAt(i) >= 0x2e80 ? 4 : 1
  return quarters / 4
}

/**
 * Puts pieces together to passages of at most `size` tokens. `tokens` are those of all pieces, in their order. A
 * passage never goes over a heading. It ends where a paragraph does, if that leaves it at least half full. `source` is
 * the document, if its passages stand in it as they are.
 */
export function pack(
  sections: Section[],
  tokens: number[],
  { size, overlap }: Sizes,
  source: string | undefined,
): Chunk[] {
  const chunks: Chunk[] = []
  let first = 0
  for (const { headings, units } of sections) {
    const lengths = tokens.slice(first, first + units.length)
    first += units.length
    for (let from = 0; from < units.length;) {
      const to = endOf(units, lengths, from, size)
      const chunk = chunkOf(units.slice(from, to), headings, source)
      if (chunk) chunks.push(chunk)
      if (to === units.length) break
      from = Math.max(from + 1, beginOf(lengths, to, overlap))
    }
  }
  return chunks
}

/** Returns the number of the piece behind the passage that begins at `from`. */
function endOf(units: Unit[], lengths: number[], from: number, size: number): number {
  let sum = lengths[from]
  let to = from + 1
  let best = { border: 0, to: 0 }
  while (to < units.length && sum + lengths[to] <= size) {
    sum += lengths[to++]
    const border = units[to]?.border ?? 2
    if (sum >= size / 2 && border >= best.border) best = { border, to }
  }
  return to === units.length || best.border === 0 ? to : best.to
}

/** Returns the piece with which the next passage begins: at most `overlap` tokens before `to`. */
function beginOf(lengths: number[], to: number, overlap: number): number {
  let sum = 0
  while (to > 0 && sum + lengths[to - 1] <= overlap) sum += lengths[--to]
  return to
}

function chunkOf(units: Unit[], headings: string[], source: string | undefined): Chunk | undefined {
  const [{ start }, { end }] = [units[0], units[units.length - 1]]
  if (source === undefined) {
    const text = units.map(({ text, border }, i) => (i > 0 && border > 0 ? `\n${text}` : text)).join('')
    return text.trim() === '' ? undefined : { text: text.trim(), start, end, headings }
  }
  const whole = source.slice(start, end)
  const text = whole.trim()
  const at = start + whole.indexOf(text)
  return text === '' ? undefined : { text, start: at, end: at + text.length, headings }
}
