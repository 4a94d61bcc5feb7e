// Writes llms.txt, a list of the pages, and llms-full.txt, their whole text, for programs that read the docs. No
// plug-in does it, because the pages are Markdown already: this only puts them together.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PAGES } from './sidebar.mjs'

const docs = fileURLToPath(new URL('../', import.meta.url))
const SUMMARY =
  'A search engine for browsers, edge runtimes and Node: exact vector search, keyword search and both together, over ' +
  'records that are kept durably on the device. Rust in WebAssembly with a TypeScript API.'

const flat = (items) => items.flatMap((item) => (item.items ? flat(item.items) : item))

/** Returns the Markdown of a page, with what it includes and without comments. */
function textOf(link) {
  const text = readFileSync(`${docs}${link.slice(1)}.md`, 'utf8')
  return text
    .replace(/<!--\s*@include: (\S+?)\s*-->/g, (_, path) => readFileSync(`${docs}${path}`, 'utf8'))
    .replace(/^---\n.*?\n---\n/s, '')
    .replace(/<!--.*?-->\n*/gs, '')
    .trim()
}

/** Returns the first sentence of a page, which says what the page is about. */
const sentence = (text) => /^[A-Z][^#|`]*?[.:](?=\s)/m.exec(text)?.[0].replace(/\s+/g, ' ') ?? ''

export function writeLlms(outDir, site) {
  const list = PAGES.map(({ text, items }) => {
    const lines = flat(items).map(({ text, link }) => {
      const about = sentence(textOf(link))
      return `- [${text}](${site}docs${link}.html)${about && `: ${about}`}`
    })
    return `## ${text}\n\n${lines.join('\n')}`
  })
  writeFileSync(`${outDir}/llms.txt`, `# nidus-wasm\n\n> ${SUMMARY}\n\n${list.join('\n\n')}\n`)
  const pages = flat(PAGES).filter(({ link }) => link !== '/changelog')
  writeFileSync(`${outDir}/llms-full.txt`, `${pages.map(({ link }) => textOf(link)).join('\n\n---\n\n')}\n`)
}
