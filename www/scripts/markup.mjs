// Fills in what index.html does not say itself: the icons, from lucide, as symbols of one hidden picture, and the
// addresses of the project, from package.json.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { repository, name } = require('../../package.json')

const ICONS = {
  search: 'search',
  dictionary: 'book-open',
  emoji: 'smile',
  files: 'folder-open',
  docs: 'file-text',
  npm: 'package',
  source: 'code',
  close: 'x',
  race: 'flag',
  add: 'upload',
  time: 'timer',
}

const symbol = ([id, icon]) =>
  readFileSync(require.resolve(`lucide-static/icons/${icon}.svg`), 'utf8')
    .replace(/<!--[^]*?-->/g, '')
    .replace(/<svg[^]*?>/, `<symbol id="i-${id}" viewBox="0 0 24 24">`)
    .replace('</svg>', '</symbol>')
    .replace(/\s+/g, ' ')
    .trim()

/** The address of the source, as people visit it. */
const source = repository.url.replace(/^git\+/, '').replace(/\.git$/, '')

export const markup = () => ({
  name: 'markup',
  transformIndexHtml: {
    order: 'pre',
    handler: (html) =>
      html
        .replace('<!-- icons -->', Object.entries(ICONS).map(symbol).join(''))
        .replaceAll('%SOURCE%', source)
        .replaceAll('%NPM%', `https://www.npmjs.com/package/${name}`),
  },
})
