// Makes the links of the Markdown files, which lead to files of the repository, lead to pages of the site.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { posix, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const { repository } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
/** The address of the repository, as package.json has it. */
export const REPOSITORY = repository.url.replace(/^git\+|\.git$/g, '')

/** Pages that only include a file of the repository's root. */
const INCLUDED = { 'docs/specification.md': 'SPEC.md', 'docs/changelog.md': 'CHANGELOG.md' }
const MODULES = [
  'segment',
  'durable-object',
  'sharded',
  'langchain',
  'words',
  'text-index',
  'transformers',
  'live',
  'react',
]

/** Returns the anchor of a heading, as GitHub names it. So an anchor works in the repository and on the site. */
export const slug = (title) =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-')

/** Returns the address on the site of a file of the repository. A file without a page has its address on GitHub. */
function address(path) {
  const included = Object.keys(INCLUDED).find((page) => INCLUDED[page] === path)
  if (included) return `/${posix.relative('docs', included)}`
  const [, types] = /^src\/ts\/types\/([\w-]+)\.d\.ts$/.exec(path) ?? []
  if (types) return `/api/nidus-wasm/${MODULES.includes(types) ? `${types}/` : ''}index.md`
  for (const page of [path, `${path.replace(/\/$/, '')}/README.md`]) {
    if (page.startsWith('docs/') && page.endsWith('.md') && existsSync(resolve(root, page)))
      return `/${posix.relative('docs', page).replace(/README\.md$/, 'index.md')}`
  }
  const isFolder = statSync(resolve(root, path), { throwIfNoEntry: false })?.isDirectory()
  return `${REPOSITORY}/${isFolder ? 'tree' : 'blob'}/main/${path}`
}

/** Returns the link of a Markdown file as the site has it. `file` is its path. */
export function siteLink(link, file) {
  if (/^[a-z]+:|^[#/]/i.test(link)) return link
  const page = relative(root, file).split(sep).join('/')
  if (page.startsWith('docs/api/')) return link
  const [path, anchor] = link.split('#')
  const target = address(posix.join(posix.dirname(INCLUDED[page] ?? page), path))
  return anchor ? `${target}#${anchor}` : target
}

/** A plug-in for markdown-it. It also makes two images of a picture that has one for light and one for dark pages. */
export function links(md) {
  md.core.ruler.push('links', ({ tokens, env }) => {
    for (const token of tokens) {
      if (token.type === 'html_block') token.content = pictures(token.content)
      for (const child of token.children ?? []) {
        if (child.type !== 'link_open') continue
        child.attrSet('href', siteLink(child.attrGet('href'), env.realPath ?? env.path))
      }
    }
  })
}

const PICTURE = /<picture>\s*<source[^>]*srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*<\/picture>/g
const pictures = (html) =>
  html.replace(
    PICTURE,
    (_, dark, alt, light) =>
      `<img class="light-only" alt="${alt}" src="${light}"><img class="dark-only" alt="${alt}" src="${dark}">`,
  )
