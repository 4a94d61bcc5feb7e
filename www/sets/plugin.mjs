// Puts the texts of the shipped sets into the page, from the packages that have them: `sets/NAME.json`, beside the
// vectors in public/sets, and `sets/NOTICES.txt`.
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { notices, SETS, textsOf } from './texts.mjs'

const DIMENSION = 384
const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/** Returns the files by their names. Throws if the vectors were made from other texts. */
function files() {
  const made = JSON.parse(readFileSync(here('made.json'), 'utf8'))
  const all = SETS.map((name) => {
    const { rows, examples, digest } = textsOf(name)
    const bytes = statSync(here(`../public/sets/${name}.i8`)).size
    if (made[name]?.digest !== digest || bytes !== (rows.length + examples.length) * DIMENSION)
      throw new Error(`the vectors of the set "${name}" are not those of its texts: run npm run vectors:www`)
    return [`sets/${name}.json`, JSON.stringify({ digest, examples, rows })]
  })
  return new Map([...all, ['sets/NOTICES.txt', notices()]])
}

export const sets = () => ({
  name: 'sets',
  generateBundle() {
    for (const [fileName, source] of files()) this.emitFile({ type: 'asset', fileName, source })
  },
  configureServer(server) {
    const all = files()
    server.middlewares.use((request, response, next) => {
      const file = all.get(new URL(request.url ?? '/', 'http://page').pathname.slice(1))
      if (file === undefined) return next()
      response.setHeader('content-type', request.url?.endsWith('.json') ? 'application/json' : 'text/plain')
      response.end(file)
    })
  },
})
