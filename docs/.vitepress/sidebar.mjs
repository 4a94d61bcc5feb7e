// The order of the pages. `llms.txt` has the same order.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const docs = fileURLToPath(new URL('../', import.meta.url))
const page = (text, name) => ({ text, link: `/${name}` })
const guide = (text, name) => page(text, `guides/${name}`)

const group = (text, items) => ({ text, items })

export const PAGES = [
  group('Start', [page('What it is', 'what'), page('Tutorial: notes in fifteen minutes', 'tutorial')]),
  group('How to', [
    group('Search', [
      guide('Texts in, passages out', 'texts'),
      guide('Words and meaning', 'words'),
      guide('Filters', 'filters'),
    ]),
    group('Keep data', [
      guide('Persistence and durability', 'durability'),
      guide('Memory and scale', 'memory'),
      guide('Several tabs', 'tabs'),
    ]),
    group('Show it', [guide('React, Vue, Svelte, Solid', 'react')]),
    group('Run it', [
      guide('Bundlers', 'bundlers'),
      guide('A read-only store as plain files', 'static'),
      guide('Cloudflare', 'cloudflare'),
      guide('Many Durable Objects', 'sharded'),
      guide('Deno and Bun', 'deno'),
      guide('From Rust alone', 'rust'),
      guide('A file of vectors alone', 'segment'),
      guide('Command line', 'cli'),
      guide('Testing', 'testing'),
    ]),
    group('Bring data', [
      guide('From another vector store', 'migration'),
      guide('From native nidus', 'native'),
      guide('Copies and damaged stores', 'copies'),
    ]),
  ]),
  group('Explanations', [
    page('Why it is exact, and fast', 'explanations/exactness'),
    page('What durable means', 'explanations/durability'),
    page('The two files', 'explanations/files'),
    page('How well words and meaning find', 'text-search'),
  ]),
  group('Reference', [
    page('Errors', 'errors'),
    page('Performance', 'performance'),
    page('Compatibility', 'compatibility'),
    page('Storage and limits', 'limits'),
    page('Security and privacy', 'security'),
    page('Keyword search in other languages', 'text-scripts'),
    page('How this site searches', 'site-search'),
    page('Changelog', 'changelog'),
  ]),
]

/** Returns the first heading of a page. */
const title = (name) => /^# (.*)$/m.exec(readFileSync(`${docs}${name}.md`, 'utf8'))[1].replaceAll('`', '')
const topics = (folder) =>
  readdirSync(docs + folder)
    .filter((name) => /^(?!README).*\.md$/.test(name))
    .map((name) => name.slice(0, -3))
    .map((name) => page(title(`${folder}/${name}`), `${folder}/${name}`))

export const INSIDE = [
  page('Architecture', 'architecture'),
  page('Specification', 'specification'),
  group('Topics of the specification', topics('spec')),
  group('Decisions', [page('All decisions', 'decisions/'), ...topics('decisions')]),
]

/**
 * Returns the list with links in its last level alone, and with all levels open. VitePress makes an entry that can be
 * closed of two controls, one within the other, which screen readers cannot tell apart.
 */
const linksBelow = (items) =>
  items.map(({ text, link, items: below }) =>
    below ? { text, items: [...(link ? [{ text: 'All', link }] : []), ...linksBelow(below)] } : { text, link },
  )

/** TypeDoc writes this list. Without it (nobody has made the API pages yet) their part is empty. */
const api = `${docs}api/typedoc-sidebar.json`
export const API = existsSync(api) ? linksBelow(JSON.parse(readFileSync(api, 'utf8'))) : []
