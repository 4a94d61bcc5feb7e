/** A stretch of a text under its headings, outermost first. */
export interface Section {
  headings: string[]
  text: string
}

export interface Passage {
  headings: string[]
  text: string
}

/** In characters: some 200 tokens, which is what the model was trained to read at once. */
const SIZE = 900
/** What a passage repeats of the one before, so that a thought which crosses the border is whole in one of them. */
const OVERLAP = 150

/** Sentences and lines, with the white space behind them. */
function units(text: string): string[] {
  const found: string[] = []
  for (const [unit] of text.matchAll(/[^\n.!?]*(?:[.!?]+(?=\s|$)|[.!?]|\n|$)\s*/g)) {
    // One without an end in sight (a table, a minified line) is cut.
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
