// `npm run compare:search`: asks the docs twenty questions, by their own search and by VitePress's built-in one
// (MiniSearch with VitePress's settings), over the same sections. Writes the table into docs/site-search.md. The docs
// must be built.
import { existsSync, readFileSync } from 'node:fs'
import MiniSearch from 'minisearch'
import { at, main, say, Trouble, writeBetween } from '../../scripts/lib.mjs'
import { ask } from '../../docs/.vitepress/theme/search-options.mjs'
import { DIMENSION, openModel } from '../sets/model.mjs'
import { fill, vectorsOf } from './index.mjs'
import { sections } from './sections.mjs'

const TOP = 3

/** Returns the place of the first hit on a right page, from 1. */
const place = (pages, right) => pages.findIndex((page) => right.includes(page)) + 1 || undefined

function miniSearch(found) {
  const index = new MiniSearch({ fields: ['title', 'titles', 'text'], storeFields: ['page'] })
  index.addAll(found)
  const options = { fuzzy: 0.2, prefix: true, boost: { title: 4, text: 2, titles: 1 } }
  return (question) => index.search(question, options).map(({ page }) => page)
}

/** Returns the two searches of the site: by words, and by words and meaning. */
async function ours(found) {
  const { Nidus } = await import('../../dist/node.js')
  const vectors = await vectorsOf(found)
  if (!vectors) throw new Trouble('there is no copy of the language model')
  const [words, meaning] = await Promise.all(
    [undefined, vectors].map(async (vectors, i) => {
      const db = await Nidus.open(`search-${i}`, { storage: 'memory', dimension: vectors ? DIMENSION : 1 })
      await fill(db, found, vectors)
      return db
    }),
  )
  const embed = await openModel()
  const pages = (hits) => hits.map(({ attrs }) => attrs.page)
  return [
    async (question) => pages(await ask(words, question)),
    async (question) => pages(await ask(meaning, question, await embed([question]))),
  ]
}

main(async () => {
  const folder = at('www/dist/docs')
  if (!existsSync(folder)) throw new Trouble('the docs are not built: npm run build:docs')
  const found = sections(folder)
  const users = found.filter(({ kind }) => kind === 'docs')
  const engines = [...(await ours(found)), miniSearch(found), miniSearch(users)]
  const questions = JSON.parse(readFileSync(at('www/search/questions.json'), 'utf8'))
  const rows = []
  for (const { question, pages } of questions) {
    const lists = await Promise.all(engines.map((engine) => engine(question)))
    const last = [...new Set(lists.pop())]
    rows.push([question, ...[...lists, last].map((list) => place(list, pages))])
  }
  const within = (column) => rows.filter((row) => row[column] <= TOP).length
  const cell = (rank) => (rank === undefined ? 'none' : rank <= TOP ? `**${rank}**` : `${rank}`)
  const line = (cells) => `| ${cells.join(' | ')} |`
  const table = [
    line([
      'question',
      'this site',
      'this site, also by meaning',
      'MiniSearch, as VitePress lists it',
      'MiniSearch, pages for users, each once',
    ]),
    line(['---', ...Array(4).fill('---:')]),
    ...rows.map(([question, ...ranks]) => line([question, ...ranks.map(cell)])),
    line([`**within the first ${TOP}, of ${rows.length}**`, ...[1, 2, 3, 4].map((column) => `**${within(column)}**`)]),
  ].join('\n')
  writeBetween(at('docs/site-search.md'), 'compare', `\n${table}\n`)
  say(`${found.length} sections\n${table}`)
})
