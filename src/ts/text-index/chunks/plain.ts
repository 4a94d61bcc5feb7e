import { eachLine, pieces, prose, type Section, type Unit } from './units.js'

const isBlank = (line: string) => line.trim() === ''
/** A line that does not continue the sentence of the line before: an item of a list, a quotation, a row of a table. */
const standsAlone = (line: string) => /^\s*(?:[-*+•>|]|\d{1,9}[.)])/.test(line)

/** Gathers lines into paragraphs, and cuts those into pieces. */
export class Paragraphs {
  readonly units: Unit[] = []
  #text = ''
  #start = 0
  #border: Unit['border'] = 2

  line(line: string, start: number) {
    if (isBlank(line)) {
      this.#add(line, start)
      this.flush()
      this.#border = 2
    } else {
      if (standsAlone(line)) this.flush()
      this.#add(line, start)
    }
  }

  /** Adds lines that are kept together, such as a block of code. */
  block(lines: string, start: number) {
    this.flush()
    let border: Unit['border'] = 2
    eachLine(lines, (line, at) => {
      for (const unit of pieces(line, start + at, border)) this.units.push(unit)
      border = 0
    })
    this.#border = 2
  }

  /** Adds a text that is not what stands in the document. All of its pieces have the place of the whole. */
  whole(text: string, start: number, end: number) {
    for (const unit of prose(text, start, 2)) this.units.push({ ...unit, start, end })
  }

  #add(line: string, start: number) {
    if (this.#text === '') this.#start = start
    this.#text += line
  }

  flush() {
    if (!isBlank(this.#text)) {
      for (const unit of prose(this.#text, this.#start, this.#border)) this.units.push(unit)
      this.#border = 1
    }
    this.#text = ''
  }
}

export function sectionsOfText(text: string): Section[] {
  const paragraphs = new Paragraphs()
  eachLine(text, (line, start) => paragraphs.line(line, start))
  paragraphs.flush()
  return [{ headings: [], units: paragraphs.units }]
}

/** Cuts code at its lines: best before an unindented line after a blank one, where most languages begin something. */
export function sectionsOfCode(text: string): Section[] {
  const units: Unit[] = []
  let blank = true
  eachLine(text, (line, start) => {
    const border = !blank ? 0 : /^\s/.test(line) ? 1 : 2
    if (!isBlank(line)) for (const unit of pieces(line, start, border)) units.push(unit)
    blank = isBlank(line)
  })
  return [{ headings: [], units }]
}
