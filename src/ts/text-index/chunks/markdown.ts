import { LONGEST_HEADING, Outline } from './outline.js'
import { eachLine, type Section } from './units.js'

const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t]*(?:[ \t]#+[ \t]*)?\r?\n?$/
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*\r?\n?$/
const FENCE = /^ {0,3}(`{3,}|~{3,})/

/**
 * Returns the end of the block between lines of `---` at the beginning, or 0. It holds settings (`title: ...`), and no
 * text.
 */
const endOfSettings = (text: string) =>
  /^---\r?\n(?=[\w-]+[ \t]*:)(?:(?!---\r?\n)[^\n]*\n)*?---\r?(?:\n|$)/.exec(text)?.[0].length ?? 0

export function sectionsOfMarkdown(text: string): Section[] {
  const outline = new Outline()
  const from = endOfSettings(text.length > 65_536 ? text.slice(0, 65_536) : text)
  let fence: { mark: string; text: string; start: number } | undefined
  let last: { line: string; start: number; alone: boolean } | undefined
  const settle = () => {
    if (last) outline.paragraphs.line(last.line, last.start)
    last = undefined
  }
  eachLine(text.slice(from), (line, at) => {
    const start = from + at
    if (fence) {
      fence.text += line
      if (!line.trim().startsWith(fence.mark) || line.trim().replaceAll(fence.mark[0], '') !== '') return
      outline.paragraphs.block(fence.text, fence.start)
      fence = undefined
      return
    }
    const mark = FENCE.exec(line)?.[1]
    const heading = HEADING.exec(line)
    const under = UNDERLINE.exec(line)
    if (mark) {
      settle()
      fence = { mark, text: line, start }
    } else if (heading && line.length <= LONGEST_HEADING) {
      settle()
      outline.heading(heading[1].length, plainOf(heading[2] ?? ''), line, start, start + line.length)
    } else if (under && last?.alone && last.line.length <= LONGEST_HEADING) {
      const { line: title, start: begin } = last
      last = undefined
      outline.heading(under[1][0] === '=' ? 1 : 2, plainOf(title), title + line, begin, start + line.length)
    } else {
      // Only a paragraph of one line can be a heading that the next line underlines.
      const alone = (!last || last.line.trim() === '') && /^ {0,3}[^\s>|*+-]/.test(line)
      settle()
      last = { line, start, alone }
    }
  })
  settle()
  // A fence that nobody closes goes on to the end.
  if (fence) outline.paragraphs.block(fence.text, fence.start)
  return outline.end()
}

/** Returns a heading without the marks of links, code and stress. */
const plainOf = (heading: string) =>
  heading
    .trim()
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[`*]/g, '')
    .replace(/(^|\s)_+|_+(?=\s|$)/g, '$1')
    .trim()
