import type { Section } from './passages'

const BLOCKS = /^(ADDRESS|ARTICLE|ASIDE|BLOCKQUOTE|BR|DD|DIV|DL|DT|FIGCAPTION|FIGURE|FOOTER|FORM|HEADER|HR|LI|MAIN|NAV|OL|P|PRE|SECTION|TABLE|TD|TH|TR|UL)$/
const PASSED_OVER = /^(SCRIPT|STYLE|TEMPLATE|NOSCRIPT|SVG|HEAD|IFRAME|OBJECT)$/i

/** What a reader would see. The document is parsed, not shown: nothing in it runs or loads. */
export function htmlSections(html: string): Section[] {
  const document = new DOMParser().parseFromString(html, 'text/html')
  const title = document.title.trim()
  const sections: Section[] = []
  const path: string[] = []
  let text = ''
  const close = () => {
    if (text.trim()) sections.push({ headings: [title, ...path].filter(Boolean), text: text.replace(/[ \t]+/g, ' ').replace(/\s*\n\s*/g, '\n') })
    text = ''
  }
  const walk = (node: Node) => {
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) text += child.nodeValue!.replace(/\s+/g, ' ')
      if (!(child instanceof Element) || PASSED_OVER.test(child.tagName)) continue
      const depth = /^H([1-6])$/.exec(child.tagName)?.[1]
      if (depth) {
        close()
        path.length = Number(depth) - 1
        path[Number(depth) - 1] = child.textContent!.trim().replace(/\s+/g, ' ')
        continue
      }
      walk(child)
      if (BLOCKS.test(child.tagName)) text += '\n'
    }
  }
  walk(document.body)
  close()
  return sections
}
