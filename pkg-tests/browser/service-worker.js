// Bundled into one file before it is served, because a service worker cannot use `import()`.
import { Nidus } from '../../dist/browser.js'
import { provideWords } from '../../dist/text.js'

addEventListener('install', () => skipWaiting())
addEventListener('message', ({ data: { name, wasm, textWasm, id }, ports: [port] }) => {
  const work = async () => {
    if (textWasm) provideWords(textWasm)
    const db = await Nidus.open(name, { dimension: 4, wasm })
    if (textWasm) {
      await db.setText('c', 'from')
      await db.upsert('c', [{ id, vector: [1, 0, 0, 0], attrs: { from: 'service worker' } }])
      const hits = await db.search({ text: 'worker' }, { highlight: true, facets: { from: {} } })
      const listed = await db.list('c', { orderBy: 'from' })
      await db.close()
      return [hits.map(({ id, matches }) => [id, matches]), hits.facets, listed.map(({ id }) => id)]
    }
    const words = await db.search({ text: 'worker' }).catch((error) => error.code)
    if (words !== 'UNSUPPORTED' && words !== 'INVALID_ARGUMENT') throw new Error(`words without the module: ${words}`)
    await db.upsert('c', [{ id, vector: [1, 0, 0, 0], attrs: { from: 'service worker' } }])
    const found = [
      db.storage,
      (await db.search([1, 0, 0, 0])).map((hit) => hit.id),
      (await Nidus.list()).some((info) => info.name === name),
    ]
    await db.close()
    return found
  }
  void work().then(
    (ok) => port.postMessage({ ok }),
    (error) => port.postMessage({ error: `${error.code} ${error.message}` }),
  )
})
