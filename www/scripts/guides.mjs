// Makes the pages of the guides: one HTML file for each Markdown file of www/guides, with a stylesheet and no script.
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Marked } from 'marked'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
/** The order of the guides. Guides that are not named here follow after these. */
const ORDER = [
  'durability',
  'filters',
  'memory',
  'tabs',
  'bundlers',
  'cloudflare',
  'sharded',
  'deno',
  'testing',
  'native',
  'static',
  'migration',
]

/** Returns the anchor of a heading, as links in the documents name it. */
const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

/** Returns Markdown as HTML. `page` returns the page of a file. A link to a file without a page becomes plain text. */
const html = (text, path, page) =>
  new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${slug(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      link({ href, tokens }) {
        const [file, anchor] = href.split('#')
        const target = !file || /^[a-z]+:/.test(href) ? file : page(posix.join(posix.dirname(path), file))
        const text = this.parser.parseInline(tokens)
        return target === undefined ? text : `<a href="${escaped(anchor ? `${target}#${anchor}` : target)}">${text}</a>`
      },
    },
  }).parse(text)

const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

function page(title, body, policy) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)} · nidus-wasm</title>
<link rel="icon" href="../favicon.svg">
<link rel="stylesheet" href="guides.css">
<header><nav aria-label="Site"><a href="../">Search</a> <a href="./">Guides</a></nav></header>
<main>
${body}</main>
</html>
`
}

/** Returns [{ fileName, source }] for the site's folder. */
export function guidePages(policy) {
  const markdown = (folder) =>
    readdirSync(at(`../${folder}`))
      .filter((name) => name.endsWith('.md'))
      .map((name) => name.slice(0, -3))
  const names = markdown('www/guides')
  names.sort((a, b) => (ORDER.indexOf(a) + 1 || 99) - (ORDER.indexOf(b) + 1 || 99) || (a < b ? -1 : 1))
  // A guide and a page of the specification may have the same name.
  const paths = new Map([
    ...names.map((name) => [`www/guides/${name}.md`, name]),
    ['SPEC.md', 'specification'],
    ...markdown('docs/spec').map((name) => [`docs/spec/${name}.md`, `spec-${name}`]),
  ])
  const pageOf = (path) => (paths.has(path) ? `${paths.get(path)}.html` : undefined)
  const guides = [...paths].map(([path, name]) => {
    const text = readFileSync(at(`../${path}`), 'utf8').replace(/<!--.*?-->\n+/gs, '')
    return { name, title: /^# (.*)$/m.exec(text)?.[1] ?? name, html: html(text, path, pageOf) }
  })
  const list = guides
    .filter(({ name }) => !name.startsWith('spec-'))
    .map(({ name, title }) => `<li><a href="${name}.html">${escaped(title)}</a></li>`)
    .join('\n')
  return [
    { fileName: 'guides/index.html', source: page('Guides', `<h1>Guides</h1>\n<ul>\n${list}\n</ul>\n`, policy) },
    { fileName: 'guides/guides.css', source: readFileSync(at('guides/guides.css'), 'utf8') },
    // Wide code has its own scroll bar. With a `tabindex` the keyboard can use it, too.
    ...guides.map(({ name, title, html }) => ({
      fileName: `guides/${name}.html`,
      source: page(title, html.replaceAll('<pre>', '<pre tabindex="0">'), policy),
    })),
  ]
}

/** A plugin for Vite that adds the guides to the build of the page. */
export const guides = (policy) => ({
  name: 'guides',
  apply: 'build',
  generateBundle() {
    for (const asset of guidePages(policy)) this.emitFile({ type: 'asset', ...asset })
  },
})
