/** A piece of a text that is never cut: a sentence, a line, or a part of a very long one. */
export interface Unit {
  /** The place of the piece in the document, in UTF-16 units. */
  start: number
  end: number
  /** What is searched. For HTML this is not what stands in the document. */
  text: string
  /** How good it is to begin a passage here: 0 inside of a paragraph, 1 at a line, 2 at a paragraph. */
  border: 0 | 1 | 2
}

/** The pieces below one heading. */
export interface Section {
  headings: string[]
  units: Unit[]
}

/** A longer piece is cut. This bounds the work for a text without sentences and lines. */
const LONGEST = 400

// One locale everywhere: the same text must give the same passages.
const sentences =
  typeof Intl.Segmenter === 'function' ? new Intl.Segmenter('en', { granularity: 'sentence' }) : undefined

/** The length of what is given to the segmenter at once. Its time grows with the square of the length. */
const AT_ONCE = 4 * LONGEST
/** A shorter text is one piece. Asking the segmenter costs more than it brings then. */
const SHORTEST = 40

function* sentencesOf(text: string): Iterable<number> {
  for (let at = 0; at < text.length;) {
    const end = isHigh(text.charCodeAt(at + AT_ONCE - 1)) ? at + AT_ONCE - 1 : at + AT_ONCE
    const part = text.slice(at, end)
    const lengths = lengthsOf(part)
    // The last sentence may go on behind this part.
    if (at + part.length < text.length && lengths.length > 1) lengths.pop()
    for (const length of lengths) {
      yield length
      at += length
    }
  }
}

const lengthsOf = (text: string) =>
  text.length < SHORTEST
    ? [text.length]
    : sentences
      ? Array.from(sentences.segment(text), ({ segment }) => segment.length)
      : Array.from(text.matchAll(/[^.!?]+(?:[.!?]+\s*)?|[.!?]+\s*/g), ([sentence]) => sentence.length)

/** Cuts `text`, which begins at `start`, into pieces of at most `LONGEST`, after white space where there is some. */
export function* pieces(text: string, start: number, border: Unit['border']): Iterable<Unit> {
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + LONGEST, text.length)
    if (end < text.length) {
      const space = text.slice(at, end).lastIndexOf(' ') + at
      if (space > at + LONGEST / 2) end = space + 1
      // The two halves of a character stay together.
      else if (isHigh(text.charCodeAt(end - 1))) end--
    }
    yield { start: start + at, end: start + end, text: text.slice(at, end), border: at === 0 ? border : 0 }
    at = end
  }
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00

/** Cuts a piece into two, after white space where there is some near the middle. One letter stays whole. */
export function halves(unit: Unit): Unit[] {
  const { start, end, text, border } = unit
  if (text.length < 2) return [unit]
  const middle = Math.ceil(text.length / 2)
  const space = text.lastIndexOf(' ', middle) + 1
  let at = space > text.length / 4 ? space : middle
  if (isHigh(text.charCodeAt(at - 1))) at = at + 1 < text.length ? at + 1 : at - 1
  if (at <= 0) return [unit]
  // For HTML the two have the place of the whole, because the text is not what stands there.
  const inPlace = end - start === text.length
  return [
    { start, end: inPlace ? start + at : end, text: text.slice(0, at), border },
    { start: inPlace ? start + at : start, end, text: text.slice(at), border: 0 },
  ]
}

/** Cuts a paragraph into sentences. Line breaks inside of it end no sentence. */
export function* prose(text: string, start: number, border: Unit['border']): Iterable<Unit> {
  let at = 0
  for (const length of sentencesOf(text.replace(/\n(?=.)/g, ' '))) {
    yield* pieces(text.slice(at, at + length), start + at, at === 0 ? border : 0)
    at += length
  }
}

/** Calls `line` for each line of a text, with its line break. */
export function eachLine(text: string, line: (line: string, start: number) => void) {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at) + 1 || text.length
    line(text.slice(at, end), at)
    at = end
  }
}
