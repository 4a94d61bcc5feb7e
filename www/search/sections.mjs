// Cuts the built pages of the docs into sections, one for each heading, as VitePress's own search does.
import { readFileSync } from 'node:fs'
import { filesUnder } from '../../scripts/lib.mjs'

const HEADING = /<h([1-6]) id="([^"]+)"[^>]*>(.*?)<a class="header-anchor".*?<\/a><\/h\1>/gs
const NAMES = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ' }

/** Returns the text of HTML. The elements that begin a new line on the page end a word here. */
const text = (html) =>
  html
    .replace(/<button[^>]*>.*?<\/button><span class="lang">.*?<\/span>/gs, '')
    .replace(/<\/?(?:p|li|td|th|tr|pre|div|br|h\d)\b[^>]*>/g, ' ')
    .replace(/<[^>]*>/g, '')
    .replace(/&#x?([\da-f]+);/gi, (all, code) => String.fromCodePoint(parseInt(code, /^&#x/i.test(all) ? 16 : 10)))
    .replace(/&(\w+);/g, (all, name) => NAMES[name] ?? all)
    .replace(/\u200b/g, '')
    .replace(/\s+/g, ' ')
    .trim()

/** Headings of the API pages under which there are only types. */
const TYPES = /^(Parameters|Returns|Type Parameters|Extends|Inherited from|Overrides|Index Signature)$/
/** Pages about the inside, and the API. They are listed after all others. */
const MORE = /^(spec|decisions|api)\/|^(architecture|specification|changelog)$/

/**
 * Returns { id, page, kind, title, titles, text } for each section of a page. `titles` are those of the headings above.
 */
function sectionsOf(page, html) {
  const [, main] = /<main\b[^>]*>(.*)<\/main>/s.exec(html) ?? [, '']
  const headings = [...main.matchAll(HEADING)]
  const above = []
  const found = headings.map(({ 0: { length }, 1: level, 2: anchor, 3: heading, index }, i) => {
    const title = text(heading)
    above.length = level - 1
    const titles = above.filter(Boolean)
    above[level - 1] = title
    const body = main.slice(index + length, headings[i + 1]?.index)
    const kind = MORE.test(page) ? 'more' : 'docs'
    return { id: `${page}.html#${anchor}`, page, kind, title, titles, text: text(body) }
  })
  return found.filter(({ page, title }) => !page.startsWith('api/') || !TYPES.test(title))
}

/** Returns the sections of all pages in the folder of the built docs. */
export function sections(folder) {
  // A page with the questions of the comparison would be found by all of them.
  const pages = filesUnder(folder, (name) => name.endsWith('.html') && !/^(404|index|site-search)\.html$/.test(name))
  return pages.flatMap((name) => sectionsOf(name.slice(0, -5), readFileSync(`${folder}/${name}`, 'utf8')))
}
