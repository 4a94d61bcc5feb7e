/** A part of a text with the headings above it, the outermost one first. */
export interface Section {
  headings: string[]
  text: string
}

export interface Passage {
  headings: string[]
  text: string
}

/**
 * The length of a passage in characters. These are about 200 tokens, as many as the model was trained to read at once.
 */
const SIZE = 900
/**
 * How many characters of the passage before are repeated, so that a thought at the border is complete in one of the
 * two.
 */
const OVERLAP = 150

/** Returns the sentences and lines of a text, with the white space after them. */
function units(text: string): string[] {
  const found: string[] = []
  for (const [unit] of text.matchAll(/[^\n.!?]*(?:[.!?]+(?=\s|$)|[.!?]|\n|$)\s*/g)) {
    // A very long unit (a table, a minified line) is cut.
    for (let at = 0; at < unit.length; at += SIZE) found.push(unit.slice(at, at + SIZE))
  }
  return found
}

export function passagesOf(sections: Section[]): Passage[] {
  const passages: Passage[] = []
  for (const { headings, text } of sections) {
    let open: string[] = []
    let length = 0
    const close = () => {
      const whole = open.join('').trim()
      if (whole) passages.push({ headings, text: whole })
    }
    for (const unit of units(text)) {
      if (length > 0 && length + unit.length > SIZE) {
        close()
        let kept = 0
        const from = open.findLastIndex((unit) => (kept += unit.length) > OVERLAP) + 1
        open = open.slice(from)
        length = open.reduce((sum, unit) => sum + unit.length, 0)
      }
      open.push(unit)
      length += unit.length
    }
    close()
  }
  return passages
}
