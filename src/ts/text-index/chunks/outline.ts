import { Paragraphs } from './plain.js'
import type { Section } from './units.js'

/** A longer one is a paragraph. Each passage below a heading repeats it. */
export const LONGEST_HEADING = 500

/** Gathers sections by their headings. */
export class Outline {
  readonly sections: Section[] = []
  #open: { level: number; text: string }[] = []
  #paragraphs = new Paragraphs()
  /** The heading that has nothing below it yet. */
  #bare: { text: string; whole: string; start: number; end: number; level: number } | undefined

  get paragraphs() {
    return this.#paragraphs
  }

  /** Begins a section. `whole` is what stands in the document from `start` to `end`, or what a reader sees of it. */
  heading(level: number, text: string, whole: string, start: number, end: number) {
    this.#close(level)
    while (this.#open.length > 0 && this.#open[this.#open.length - 1].level >= level) this.#open.pop()
    this.#open.push({ level, text })
    this.#bare = { text, whole, start, end, level }
  }

  /** Ends the section that is open. `next` is the level of the heading that follows. */
  #close(next: number) {
    this.#paragraphs.flush()
    const headings = this.#open.map(({ text }) => text).filter((text) => text !== '')
    const { units } = this.#paragraphs
    if (units.length > 0) this.sections.push({ headings, units })
    // A heading without a text below it is found all the same. One with smaller headings below is named by those.
    else if (this.#bare && this.#bare.text !== '' && next <= this.#bare.level) {
      const { whole, start, end } = this.#bare
      this.sections.push({ headings: headings.slice(0, -1), units: [{ text: whole, start, end, border: 2 }] })
    }
    this.#bare = undefined
    this.#paragraphs = new Paragraphs()
  }

  end(): Section[] {
    this.#close(0)
    return this.sections
  }
}
