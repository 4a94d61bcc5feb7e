import type { Section } from './passages'

/** Splits a text at its headings. Fenced code counts as text. */
export function markdownSections(text: string): Section[] {
  const sections: Section[] = []
  const path: string[] = []
  let lines: string[] = []
  let fence = ''
  const close = () => {
    if (lines.some((line) => line.trim())) sections.push({ headings: path.filter(Boolean), text: lines.join('\n') })
    lines = []
  }
  const body = text.replace(/^---\n[^]*?\n---\n/, '') // front matter
  for (const line of body.split(/\r?\n/)) {
    const mark = /^\s{0,3}(```+|~~~+)/.exec(line)?.[1]
    if (mark && (!fence || mark.startsWith(fence))) fence = fence ? '' : mark
    const heading = fence ? undefined : /^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line)
    if (!heading) {
      lines.push(line)
      continue
    }
    close()
    const depth = heading[1]!.length
    path.length = depth - 1
    path[depth - 1] = plain(heading[2]!)
  }
  close()
  return sections
}

const plain = (text: string) => text.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[*_`]+/g, '')
