// Writes the service worker, which stores every file of the page at the first visit. It is written after the page is
// built, because the names of the files are known only then.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PUBLIC = fileURLToPath(new URL('../public/', import.meta.url))

const source = (version, files) => `// Made by the build.
const CACHE = 'nidus-${version}'
const FILES = ${JSON.stringify(files)}
const address = (path) => new URL(path, self.registration.scope).href

addEventListener('install', (event) => {
  // One file after the other: the HTTP cache then has the files that the page loads anyway.
  event.waitUntil(caches.open(CACHE).then(async (cache) => {
    for (const file of FILES) await cache.add(address(file))
    await skipWaiting()
  }))
})

addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith('nidus-') && name !== CACHE) await caches.delete(name)
    await clients.claim()
  })())
})

addEventListener('fetch', (event) => {
  const { request } = event
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return
  const scope = new URL(self.registration.scope).pathname
  const isPage = request.mode === 'navigate' && new URL(request.url).pathname === scope
  const wanted = isPage ? address('./') : request
  const kept = () =>
    caches.open(CACHE).then((cache) => cache.match(wanted, { ignoreSearch: true, ignoreVary: true }))
  // The page itself is requested from the network first, so that a new version is noticed. All other files have their
  // version in their name, or never change.
  if (request.mode === 'navigate')
    event.respondWith(fetch(request).catch(async () => (await kept()) ?? Response.error()))
  else event.respondWith(kept().then((response) => response ?? fetch(request)))
})
`

export const offline = () => ({
  name: 'offline',
  apply: 'build',
  enforce: 'post',
  generateBundle(_, bundle) {
    const made = Object.keys(bundle).filter((name) => !/\.map$/.test(name) && name !== 'index.html')
    const given = readdirSync(PUBLIC, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(PUBLIC.length).replaceAll('\\', '/'))
    const files = ['./', ...made, ...given].sort()
    const hash = createHash('sha256')
    for (const name of made.sort()) hash.update(name).update(bundle[name].code ?? bundle[name].source ?? '')
    for (const name of given.sort())
      hash.update(name).update(name.includes('/models/') ? '' : readFileSync(PUBLIC + name))
    this.emitFile({
      type: 'asset',
      fileName: 'service-worker.js',
      source: source(hash.digest('hex').slice(0, 12), files),
    })
  },
})
