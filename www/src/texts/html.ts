import { Parser } from 'htmlparser2'
import type { Section } from './passages'

const BLOCKS = new Set(
  'address article aside blockquote br dd div dl dt figcaption figure footer form header hr li main nav ol p pre section table td th tr ul'.split(
    ' ',
  ),
)
const PASSED_OVER = new Set(['script', 'style', 'template', 'noscript', 'svg', 'iframe', 'object'])

const oneLine = (text: string) => text.trim().replace(/\s+/g, ' ')

/**
 * Returns the text that a reader would see. It uses a library, because the browser's own parser would report each style
 * in the file as a violation of this page's policy.
 */
export function htmlSections(html: string): Section[] {
  const sections: Section[] = []
  const path: string[] = []
  let [title, text] = ['', '']
  /** How many skipped elements the parser is in, and the title or heading that is being read. */
  let passed = 0
  let heading: { name: string; text: string } | undefined
  const close = () => {
    if (text.trim())
      sections.push({
        headings: [title, ...path].filter(Boolean),
        text: text.replace(/[ \t]+/g, ' ').replace(/\s*\n\s*/g, '\n'),
      })
    text = ''
  }
  const parser = new Parser({
    onopentag(name) {
      if (PASSED_OVER.has(name)) passed++
      else if (!passed && (name === 'title' || /^h[1-6]$/.test(name))) heading = { name, text: '' }
      else if (!passed && !heading && BLOCKS.has(name)) text += '\n'
    },
    ontext(piece) {
      if (passed) return
      if (heading) heading.text += piece
      else text += piece.replace(/\s+/g, ' ')
    },
    onclosetag(name) {
      if (PASSED_OVER.has(name)) passed--
      else if (heading?.name === name) {
        close()
        const read = oneLine(heading.text)
        heading = undefined
        if (name === 'title') return void (title ||= read)
        path.length = Number(name[1]) - 1
        path[Number(name[1]) - 1] = read
      } else if (!passed && BLOCKS.has(name)) {
        if (heading) heading.text += ' '
        else text += '\n'
      }
    },
  })
  parser.end(html)
  close()
  return sections
}
