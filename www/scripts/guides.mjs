// The guides as pages: Markdown from www/guides, one HTML file each, with a stylesheet and no script.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Marked } from 'marked'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
/** In the order in which one would read them; others follow. */
const ORDER = ['durability', 'filters', 'memory', 'tabs', 'bundlers', 'cloudflare', 'sharded', 'deno', 'testing', 'native', 'static', 'migration']

/** Headings by the names that links within the documents use. */
const slug = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}\s-]/gu, '').trim().replace(/\s/g, '-')
const marked = new Marked({
  renderer: {
    heading({ tokens, depth, text }) {
      return `<h${depth} id="${slug(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
    },
  },
})

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

/** [{ fileName, source }], for the site's folder. */
export function guidePages(policy) {
  const names = readdirSync(at('guides')).filter((name) => name.endsWith('.md')).map((name) => name.slice(0, -3))
  names.sort((a, b) => (ORDER.indexOf(a) + 1 || 99) - (ORDER.indexOf(b) + 1 || 99) || (a < b ? -1 : 1))
  const all = [...names.map((name) => [name, `guides/${name}.md`]), ['specification', '../SPEC.md']]
  const guides = all.map(([name, path]) => {
    const text = readFileSync(at(path), 'utf8').replace(/<!--.*?-->\n+/gs, '')
    return { name, title: /^# (.*)$/m.exec(text)?.[1] ?? name, html: marked.parse(text.replaceAll('](../../SPEC.md', '](specification.html')).replace(/href="([\w-]+)\.md(?=[#"])/g, 'href="$1.html') }
  })
  const list = guides.map(({ name, title }) => `<li><a href="${name}.html">${escaped(title)}</a></li>`).join('\n')
  return [
    { fileName: 'guides/index.html', source: page('Guides', `<h1>Guides</h1>\n<ul>\n${list}\n</ul>\n`, policy) },
    { fileName: 'guides/guides.css', source: readFileSync(at('guides/guides.css'), 'utf8') },
    // Wide code scrolls by itself, with the keyboard too.
    ...guides.map(({ name, title, html }) => ({ fileName: `guides/${name}.html`, source: page(title, html.replaceAll('<pre>', '<pre tabindex="0">'), policy) })),
  ]
}

/** For Vite: beside the page, wherever it is built to. */
export const guides = (policy) => ({
  name: 'guides',
  apply: 'build',
  generateBundle() {
    for (const asset of guidePages(policy)) this.emitFile({ type: 'asset', ...asset })
  },
})
